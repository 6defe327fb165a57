// A service of orders that trusts wxgate's tokens.
//
//	ISSUER=http://127.0.0.1:8080 AUDIENCE=api ADDRESS=127.0.0.1:3000 go run .
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	issuer, jwks := os.Getenv("ISSUER"), os.Getenv("JWKS")
	if jwks == "" {
		jwks = issuer + "/.well-known/jwks.json"
	}
	bearer := NewBearer(context.Background(), issuer, os.Getenv("AUDIENCE"), jwks)
	http.Handle("/orders", bearer.Guard(http.HandlerFunc(orders)))
	listener, err := net.Listen("tcp", os.Getenv("ADDRESS"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}

func orders(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"user": User(r), "orders": []string{}})
}
