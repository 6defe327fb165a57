// Verifies tokens from the JWKS alone: verify JWKS_URL ISSUER AUDIENCE ALG,ALG
// One JSON string a line on standard input; one line out for each, {"sub": …} or {"refused": …}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

func main() {
	jwks, issuer, audience, algorithms := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ctx := context.Background()
	verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, jwks), &oidc.Config{
		ClientID:             audience,
		SupportedSigningAlgs: strings.Split(algorithms, ","),
	})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var token string
		err := json.Unmarshal(lines.Bytes(), &token)
		var verified *oidc.IDToken
		if err == nil {
			verified, err = verifier.Verify(ctx, token)
		}
		if err == nil && verified.Subject == "" {
			err = errors.New("sub is required")
		}
		if err != nil {
			out.Encode(map[string]string{"refused": err.Error()})
		} else {
			out.Encode(map[string]string{"sub": verified.Subject})
		}
	}
}
