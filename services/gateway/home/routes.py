"""Two HTML pages: a list of links, and an order's page for the holder of its secret."""

from __future__ import annotations

import json
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from shared.values.currencies import IN_MINOR_UNITS, MINOR_UNITS

router = APIRouter(include_in_schema=False)
ORDER_PAGE = (
    (Path(__file__).parent / "order.html")
    .read_text(encoding="utf-8")
    .replace("{/* by currency */}", json.dumps(MINOR_UNITS))
    .replace('"" /* beside minor units */', json.dumps(IN_MINOR_UNITS, ensure_ascii=False))
)
ONLY_OURSELVES = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
PAGE = """<!doctype html>
<html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Kameng 卡盟</title>
<style>body{font:16px/1.6 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}dt{font-weight:600}</style>
<h1>Kameng 卡盟</h1>
<p>数字商品交易后台 · The back office of a digital-goods marketplace.</p>
<dl>
<dt><a href="/docs">/docs</a></dt><dd>接口文档，可在线调用 · The API, to read and to try</dd>
<dt><a href="/openapi.json">/openapi.json</a></dt><dd>OpenAPI 描述 · Its OpenAPI description</dd>
<dt><a href="/v1/products">/v1/products</a></dt><dd>在售商品 · What is on sale</dd>
<dt><a href="/readyz">/readyz</a></dt><dd>服务是否就绪 · Whether the services are ready</dd>
<dt><a href="/metrics">/metrics</a></dt><dd>Prometheus 指标 · Prometheus metrics</dd>
</dl></html>
"""


@router.get("/", response_class=HTMLResponse)
async def home() -> str:
    return PAGE


@router.get("/orders/{order_id}", response_class=HTMLResponse)
async def order() -> HTMLResponse:
    """The same page for every order. Its script asks for the secret, and shows what the API answers to its holder."""
    return HTMLResponse(ORDER_PAGE, headers=ONLY_OURSELVES)
