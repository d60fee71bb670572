"""Files that people uploaded, or that Label Studio serves from its own disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from ml_backend.labeling.errors import StudioError
from ml_backend.studio.connection import Connection
from ml_backend.studio.refusals import plain


class Files(Connection):
    @contextmanager
    def file(self, path: str, params: Mapping[str, str], *, timeout: float) -> Iterator[Iterator[bytes]]:
        """The chunks of a file behind `/data/…`, read while the block lasts. `timeout`, in seconds, is for each step;
        nothing is tried again. Raises StudioError, also within the block."""
        from label_studio_sdk.core.api_error import ApiError

        try:
            for last in (False, True):
                with self._client()._client_wrapper.httpx_client.stream(
                    path,
                    method="GET",
                    params=dict(params) or None,
                    request_options={"timeout_in_seconds": timeout, "max_retries": 0},
                ) as response:
                    if response.status_code == 401 and not last and self._forget_access_token():
                        continue
                    if response.status_code != 200:
                        raise StudioError(
                            f"Label Studio at {self._shown} answers {response.status_code} to GET {path}.",
                            mend="May the token's user see the file, and is it there?",
                        )
                    yield response.iter_bytes()
                    return
        except (httpx.HTTPError, httpx.InvalidURL, ApiError, ValueError) as error:
            raise StudioError(
                f"Label Studio at {self._shown} does not give {path}: {plain(error, self._token)}.",
                mend="Is it there, and is its token good?",
            ) from None
