package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

type userKey struct{}

// Bearer lets in whoever brings a token of the gateway.
type Bearer struct{ verifier *oidc.IDTokenVerifier }

// NewBearer is for tokens of this issuer and audience; jwks is the address of its keys. Make one, and keep it.
func NewBearer(ctx context.Context, issuer, audience, jwks string) *Bearer {
	// It keeps the keys, and fetches them again for a token that none of them verifies.
	keys := oidc.NewRemoteKeySet(ctx, jwks)
	return &Bearer{oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID: audience,
		// Without this it takes RS256 alone. Never an HS: a public key is no secret.
		SupportedSigningAlgs: []string{"ES256", "RS256"},
	})}
}

// Guard calls next with the user's id in the context, or answers.
func (b *Bearer) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			refuse(w, http.StatusUnauthorized, "Bearer", "token_missing")
			return
		}
		claims, err := b.verifier.Verify(r.Context(), token)
		switch {
		case err == nil && claims.Subject != "":
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, claims.Subject)))
		case keysUnavailable(err):
			// The token may well be good. A 401 would have every client log in again.
			w.Header().Set("Retry-After", "5")
			refuse(w, http.StatusServiceUnavailable, "", "keys_unavailable")
		case expired(err):
			refuse(w, http.StatusUnauthorized, `Bearer error="invalid_token"`, "token_expired")
		default:
			refuse(w, http.StatusUnauthorized, `Bearer error="invalid_token"`, "token_invalid")
		}
	})
}

// User is whose token it was.
func User(r *http.Request) string {
	user, _ := r.Context().Value(userKey{}).(string)
	return user
}

// The library has no type for these two: it says so in words.
func keysUnavailable(err error) bool {
	return err != nil && (errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "fetching keys"))
}

func expired(err error) bool {
	return err != nil && strings.Contains(err.Error(), "token is expired")
}

func refuse(w http.ResponseWriter, status int, challenge, code string) {
	if challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write([]byte(`{"code":"` + code + `"}` + "\n"))
}
