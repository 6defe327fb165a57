"""Writes the committed corpora, and the tokens of the target `jwt` with the keys that they count by.

    target/interop/venv/bin/python fuzz/seeds.py        (scripts/test makes that environment)

The keys are made for one run and thrown away; only their public halves are written.
"""

import base64
import hashlib
import json
import pathlib
import shutil

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives import hashes

HERE = pathlib.Path(__file__).parent
NOW = 1_793_500_000
VECTORS = json.loads((HERE.parent / "tests/vectors/wechat.json").read_text())


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length):
    return value.to_bytes(length, "big")


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# --- tokens ----------------------------------------------------------------------------------------------------------
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def p256():
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_numbers()

    def sign(message):
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        return number(r, 32) + number(min(s, ORDER - s), 32)

    jwk = {"crv": "P-256", "kty": "EC", "x": b64url(number(point.x, 32)), "y": b64url(number(point.y, 32))}
    return "ES256", jwk, sign


def ed():
    key = ed25519.Ed25519PrivateKey.generate()
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64url(key.public_key().public_bytes_raw())}
    return "EdDSA", jwk, key.sign


def rs():
    key = rsa.generate_private_key(65537, 2048)
    n = key.public_key().public_numbers().n
    jwk = {"e": "AQAB", "kty": "RSA", "n": b64url(number(n, 256))}
    return "RS256", jwk, lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def claims(**more):
    said = {
        "iss": "https://auth.example.com", "sub": "01a1fcf4-9de8-7b1c-afca-b82c071374ee", "aud": "api",
        "iat": NOW - 60, "exp": NOW + 7140, "jti": "01a1fcf4-9de8-7b1c-afca-b82c071374ef",
        "client_id": "wx0123456789abcdef", "auth_time": NOW - 60,
    }
    said.update(more)
    return {name: value for name, value in said.items() if value is not None}


def tokens():
    keys, issued = [], []
    for alg, jwk, sign in (p256(), ed(), rs()):
        # RFC 7638: the required members, in order.
        kid = b64url(hashlib.sha256(compact(jwk).encode()).digest())
        keys.append({**jwk, "alg": alg, "use": "sig", "kid": kid})
        for typ, said in [
            ("JWT", claims()),
            ("at+jwt", claims(aud=["api", "orders"], amr=["pwd"], sid="01a1fcf4-9de8-7b1c-afca-b82c071374f0")),
            ("JWT", claims(nickname="小明 🎉", picture="https://a.example/b", preferred_username="xiaoming", user_level=1)),
        ]:
            message = f"{b64url(compact({'alg': alg, 'kid': kid, 'typ': typ}).encode())}.{b64url(compact(said).encode())}"
            issued.append(f"{message}.{b64url(sign(message.encode()))}")
    return keys, issued


# --- the corpora -----------------------------------------------------------------------------------------------------
def write(target, seeds):
    folder = HERE / "corpus" / target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, seed in seeds.items():
        (folder / name).write_bytes(seed if isinstance(seed, bytes) else seed.encode())


def jwt():
    keys, issued = tokens()
    (HERE / "jwt").mkdir(exist_ok=True)
    (HERE / "jwt/jwks.json").write_text(json.dumps({"keys": keys}, indent=1) + "\n")
    (HERE / "jwt/tokens.txt").write_text("\n".join(issued) + "\n")
    names = [f"{alg}-{what}" for alg in ("es256", "eddsa", "rs256") for what in ("plain", "strict", "claims")]
    seeds = dict(zip(names, issued))
    header, payload, signature = issued[0].split(".")
    seeds["unsigned"] = f"{b64url(compact({'alg': 'none', 'kid': keys[0]['kid'], 'typ': 'JWT'}).encode())}.{payload}."
    seeds["padded"] = f"{header}.{payload}.{signature}=="
    seeds["four-parts"] = f"{issued[0]}.{signature}"

    def ours(said, **more):
        return compact({"alg": "ES256", "kid": "k", "typ": "JWT", **more}) + "\n" + compact(said)

    seeds["ours"] = ours(claims())
    seeds["ours-all"] = ours(claims(aud=["api", "b"], nickname="n", picture="p", preferred_username="u", user_level=1,
                                    amr=["pwd"], sid="s", nbf=NOW), typ="at+jwt")
    seeds["ours-crit"] = ours(claims(), crit=["exp"])
    seeds["ours-crit-null"] = ours(claims(), crit=None, b64=None)
    seeds["ours-twice"] = '{"alg":"ES256","kid":"k","kid":"k","typ":"JWT"}\n' + compact(claims())
    seeds["ours-times"] = ours(claims(exp=NOW - 29, iat=NOW + 30, nbf=NOW + 30, auth_time=-9223372036854775808))
    seeds["ours-float"] = ours(claims(exp=1.8e9))
    write("jwt", seeds)


def encrypted_data():
    official = VECTORS["decrypt"][0]
    seeds = {"official": f"{official['encryptedData']}\n{official['iv']}"}
    for at, vector in enumerate(VECTORS["must_fail"][:12]):
        if vector.get("session_key", official["session_key"]) == official["session_key"]:
            seeds[f"must-fail-{at}"] = f"{vector.get('encryptedData', '')}\n{vector.get('iv', '')}"
    key = "tiihtNczf5v6AKRyjwEUhQ=="
    raw = '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou"}'
    signature = hashlib.sha1((raw + key).encode()).hexdigest()
    seeds["raw"] = f"-\n-\n{raw}\n{signature}"
    seeds["all-four"] = f"{official['encryptedData']}\n{official['iv']}\n{raw}\n{signature}"
    seeds["half"] = f"{official['encryptedData']}\n-\n{raw}"
    watermark = {"appid": "wx4f4bc4dec97d474b", "timestamp": 1477314187}
    seeds["text-user"] = compact({**official["expected"], "watermark": watermark})
    seeds["text-phone"] = compact({"phoneNumber": "13580006666", "purePhoneNumber": "13580006666", "countryCode": "86",
                                   "watermark": watermark})
    seeds["text-anothers"] = compact({"openId": "somebody", "watermark": watermark})
    seeds["text-steps"] = compact({"stepInfoList": [{"timestamp": 1445866601, "step": 100}], "watermark": watermark})
    write("encrypted_data", seeds)


def envelope():
    def stored(key_id, rest, version=1, length=None):
        return bytes([version, len(key_id) if length is None else length]) + key_id + rest

    write("envelope", {
        "short": b"\x01",
        "version": stored(b"k1", bytes(40), version=2),
        "k1": stored(b"k1", bytes(range(12)) + bytes(40)),
        "long-id": stored(b"column-2026_11", bytes(12) + b"x" * 60),
        "unknown-id": stored(b"k9", bytes(44)),
        "no-id": stored(b"", bytes(44)),
        "id-longer-than-all": stored(b"k1", bytes(20), length=32),
        "id-no-text": stored(b"\xff\xfe", bytes(44)),
        "tag-cut": stored(b"k1", bytes(27)),
        "altered": b"\x00\x05\x80\x00tiihtNczf5v6AKRyjwEUhQ==",
        "cut": b"\x00\x00\x00\x05tiihtNczf5v6AKRyjwEUhQ==",
        "whole": b"\x00\x00\x00\x00+8613800138000",
        "empty": b"\x00\x00\x01\x00",
    })


def config():
    keys = """
[[wechat.apps]]
id = "wx0123456789abcdef"
secret_file = "keys/wx.secret"
[tokens]
issuer = "https://auth.example.com"
[[tokens.keys]]
file = "keys/2026-11.pem"
[[tokens.keys]]
file = "keys/2026-12.pem"
passphrase_file = "keys/2026-12.pass"
sign_from = 2026-12-01T00:00:00Z
emergency = true
[secrets]
index_key_file = "keys/index.key"
[[secrets.column_keys]]
id = "k1"
file = "keys/column-k1.key"
"""
    inline = """
database.url = "postgres://wxgate:password@db.example:5432/wxgate?ssl-mode=VERIFY_CA"
wechat.base_url = "http://127.0.0.1:9099"
wechat.apps = [{ id = "wx1", secret = "s" }, { id = "wx1", secret = "" }]
tokens.issuer = "http://localhost:8080"
tokens.keys = [{ file = "a.pem", revoked = true }]
secrets.index_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
secrets.column_keys = [{ id = "k1", key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" }]
internal.credentials = [{ name = "pay", token = "0123456789abcdef0123456789abcdef" }]
"""
    write("config", {
        "defaults": (HERE.parent / "config.default.toml").read_bytes(),
        "keys": keys,
        "inline": inline,
        "unknown": "[http]\nlisten = \"127.0.0.1:8080\"\nlisten_on = 1\n[nowhere]\nx = 1\n",
        "types": "[http]\nlisten = 8080\nbody_limit = \"big\"\ntrusted_proxies = [1, \"10.0.0.0/8\", {}]\n[wechat]\napps = [1, \"a\", []]\n[tokens]\nkeys = {}\naudience = \"api\"\nclaims = [[1]]\n[log]\nlevel = 3\n",
        "spans": "http.request_timeout = \"1h 30m\"\ntokens.ttl = \"0s\"\ntokens.leeway = \"31d\"\nwechat.timeout = \"PT5S\"\nhttp.utc_offset = \"-05:30\"\n",
        "outside": "secrets.index_key_file = \"/etc/hostname\"\nsecrets.column_keys = [{ id = \"k\", file = \"../../x\" }]\n",
        "twice": "tokens.ttl = \"1h\"\ntokens.ttl = \"2h\"\n",
        "deep": "a = " + "[" * 200 + "]" * 200 + "\n",
        "section-a-value": "http = 1\ntokens = []\nwechat = \"x\"\n",
        "both-forms": "secrets.index_key = \"x\"\nsecrets.index_key_file = \"y\"\ndatabase.url = \"sqlite::memory:\"\ndatabase.url_file = \"z\"\n",
    })


def forwarded():
    write("forwarded", {
        "stranger": "203.0.113.9\n10.0.0.0/8\n1.1.1.1",
        "one-proxy": "10.0.0.1\n10.0.0.0/8\n6.6.6.6, 203.0.113.9, 10.0.0.7",
        "two-lists": "10.0.0.1\n10.0.0.0/8,fd00::/8\n6.6.6.6\n203.0.113.9:4711",
        "v6": "fd00::1\nfd00::/8\n2001:db8::9, [fd00::2], [fd00::3]:80",
        "mapped": "::ffff:10.0.0.1\n10.0.0.0/8\n::ffff:203.0.113.9",
        "no-address": "10.0.0.1\n10.0.0.0/8\n1.1.1.1, unknown",
        "no-text": b"10.0.0.1\n10.0.0.0/8\n1.1.1.1, \xff, 203.0.113.9",
        "everybody": "192.0.2.1\n0.0.0.0/0,::/0\n1.1.1.1, 2.2.2.2, ,",
    })


def authorization():
    write("authorization", {
        "bearer": "Authorization: Bearer abc.def.ghi",
        "small": "authorization: bearer  abc ",
        "litemall": "X-Litemall-Token: abc",
        "both": "Authorization: Basic eA==\nX-Litemall-Token: Bearer abc",
        "twice": "Authorization: Bearer abc\nAuthorization: Bearer abc",
        "bare": "Authorization: abc",
        "nothing": "Authorization: Bearer undefined\nX-Litemall-Token: null",
        "no-text": b"Authorization: Bearer \xe9",
        "languages": "Accept-Language: fr, en;q=0.2, zh;q=0.1\nReferer: https://servicewechat.com/wx0123456789abcdef/devtools/page-frame.html",
        "documents": "Accept-Encoding: br, gzip;q=0.8\nIf-None-Match: W/\"old\", *",
    })


def login_body():
    write("login_body", {
        "code": '{"code":"0a3Xyz000abcdef1GhI2jKlM3n0Xyz0a"}',
        "all": compact({
            "code": "0a3Xyz", "appId": "wx0123456789abcdef", "encryptedData": "AAAA", "iv": "AAAA", "rawData": "{}",
            "signature": "00", "account": {"username": "XiaoMing", "password": "correct horse"},
            "userInfo": {"nickName": "小明 🎉", "avatarUrl": "https://a.example/b", "gender": 1, "country": "China",
                         "province": "Guangdong", "city": "Guangzhou", "language": "zh_CN"},
        }),
        "nulls": '{"code":null,"userInfo":null,"account":null}',
        "types": '{"code":17,"userInfo":{"gender":"male"}}',
        "twice": '{"code":"a","code":"b"}',
        "list": '["a"]',
        "deep": '{"x":' + "[" * 200 + "]" * 200 + "}",
        "more": '{"code":"a"} x',
        "password": '{"username":"ｘｉａｏ","password":"p","appId":"wx1","oldPassword":"a","newPassword":"b"}',
        "phone": '{"code":"a","encryptedData":"AAAA","iv":"AAAA"}',
        "surrogate": '{"code":"\\ud800","userInfo":{"nickName":"\\u0000\\u202e"}}',
    })


def wechat_answer():
    key = "tiihtNczf5v6AKRyjwEUhQ=="
    write("wechat_answer", {
        "session": compact({"session_key": key, "openid": "oGZUI0egBJY1zhBYw2KhdUfwVJJE", "unionid": "ocMvos6NjeKLIBqg5Mr9QjxrP1FA"}),
        "zero": compact({"errcode": 0, "errmsg": "ok", "session_key": key, "openid": "o1", "unionid": ""}),
        "used": '{"errcode":40163,"errmsg":"code been used, rid: 66c69111-4157f271-729ca238"}',
        "whitelist": '{"errcode":40164,"errmsg":"invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 66c69111"}',
        "busy": '{"errcode":-1,"errmsg":"system error"}',
        "phone": compact({"errcode": 0, "phone_info": {"phoneNumber": "13580006666", "purePhoneNumber": "13580006666", "countryCode": 86}}),
        "token": '{"access_token":"ACCESS","expires_in":7200}',
        "bad-key": '{"session_key":"AAAA","openid":"o1"}',
        "bad-openid": compact({"session_key": key, "openid": "o'1"}),
        "text": "<html><body>502 Bad Gateway</body></html>",
        "list": "[]",
        "large-errcode": '{"errcode":9223372036854775808,"errmsg":["x"]}',
    })


for make in (jwt, encrypted_data, envelope, config, forwarded, authorization, login_body, wechat_answer):
    make()
