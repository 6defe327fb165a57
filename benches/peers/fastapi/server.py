"""The login as it is usually written in Python: FastAPI, httpx, SQLAlchemy, PyJWT; two workers."""

import os
import time
import uuid
from contextlib import asynccontextmanager

import httpx
import jwt
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

address = os.environ["DATABASE"].replace("postgres://", "postgresql+asyncpg://")
engine = create_async_engine(address, pool_size=16, max_overflow=0)
key = open(os.environ["KEY"]).read()


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(base_url=os.environ["WECHAT"]) as app.state.wechat:
        yield


app = FastAPI(lifespan=lifespan)


class Login(BaseModel):
    code: str


@app.post("/v1/login")
async def login(body: Login):
    query = {"appid": "wx0123456789abcdef", "secret": "s", "js_code": body.code, "grant_type": "authorization_code"}
    session = (await app.state.wechat.get("/sns/jscode2session", params=query)).json()
    now = int(time.time() * 1000)
    async with engine.begin() as db:
        row = (await db.execute(
            text("SELECT id, user_id FROM identities WHERE appid = 'wx0123456789abcdef' AND openid = :openid"), {"openid": session["openid"]}
        )).one()
        await db.execute(
            text("UPDATE identities SET session_key = :key, last_login_at = :now, login_count = login_count + 1 WHERE id = :id"),
            {"key": session["session_key"].encode(), "now": now, "id": row.id},
        )
        user = (await db.execute(text("SELECT id, nickname FROM users WHERE id = :id"), {"id": row.user_id})).one()
    second = now // 1000
    token = jwt.encode(
        {"iss": "http://127.0.0.1", "sub": str(user.id), "aud": "api", "iat": second, "exp": second + 7200, "jti": str(uuid.uuid4()),
         "client_id": "wx0123456789abcdef", "auth_time": second},
        key, algorithm="ES256", headers={"kid": "peer"},
    )
    return {"token": token, "expiresIn": 7200, "userInfo": {"userId": str(user.id), "nickName": user.nickname}}
