"""Verifies a token with PyJWT, from the JWKS alone: python verify.py JWKS_URL ISSUER AUDIENCE < token"""

import json
import sys

import jwt

jwks, issuer, audience = sys.argv[1:]
token = sys.stdin.read().strip()
key = jwt.PyJWKClient(jwks).get_signing_key_from_jwt(token)
claims = jwt.decode(
    token, key, algorithms=[key.algorithm_name], issuer=issuer, audience=audience,
    options={"require": ["exp", "iat", "iss", "aud", "sub"]},
)
print(json.dumps({"payload": claims, "protectedHeader": jwt.get_unverified_header(token)}))
