"""The answers to requests that nobody waits for yet."""

from _rpyc_async import AsyncResult, AsyncResultTimeout
