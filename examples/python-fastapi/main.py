"""A service of orders that trusts wxgate's tokens.

ISSUER=http://127.0.0.1:8080 AUDIENCE=api uvicorn main:app --port 3000
"""

import os
from typing import Annotated

from bearer import Bearer
from fastapi import Depends, FastAPI

app = FastAPI()
logged_in = Bearer(os.environ["ISSUER"], os.environ["AUDIENCE"], os.environ.get("JWKS"))


@app.get("/orders")
def orders(claims: Annotated[dict, Depends(logged_in)]) -> dict:
    return {"user": claims["sub"], "orders": []}
