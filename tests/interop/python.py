"""Verifies tokens from the JWKS alone: python python.py LIBRARY JWKS_URL ISSUER AUDIENCE ALG,ALG

One JSON string a line on standard input; one line out for each, {"sub": …} or {"refused": …}.
"""

import json
import sys
import urllib.request

library, jwks, issuer, audience, algorithms = sys.argv[1:]
algorithms = algorithms.split(",")
required = ["exp", "iss", "aud", "sub"]


def document():
    with urllib.request.urlopen(jwks) as answer:
        return json.load(answer)


def pyjwt():
    import jwt

    keys = jwt.PyJWKClient(jwks)

    def verify(token):
        key = keys.get_signing_key_from_jwt(token)
        return jwt.decode(
            token, key, algorithms=algorithms, issuer=issuer, audience=audience, options={"require": required}
        )

    return verify


def joserfc():
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(document())
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        sub={"essential": True},
    )

    def verify(token):
        decoded = jwt.decode(token, keys, algorithms=algorithms)
        claims.validate(decoded.claims)
        return decoded.claims

    return verify


def python_jose():
    from jose import jwt

    keys = document()
    options = {f"require_{name}": True for name in required}
    return lambda token: jwt.decode(
        token, keys, algorithms=algorithms, issuer=issuer, audience=audience, options=options
    )


def jwcrypto():
    from jwcrypto import jwk, jwt

    keys = jwk.JWKSet.from_json(json.dumps(document()))
    claims = {"iss": issuer, "aud": audience, "exp": None, "sub": None}
    return lambda token: json.loads(jwt.JWT(jwt=token, key=keys, algs=algorithms, check_claims=claims).claims)


verify = {"PyJWT": pyjwt, "joserfc": joserfc, "python-jose": python_jose, "jwcrypto": jwcrypto}[library]()
for line in sys.stdin:
    try:
        answer = {"sub": verify(json.loads(line))["sub"]}
    except Exception as error:
        answer = {"refused": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
