"""People with passwords, as Label Studio Community gets them: through the organisation's invitation."""

from __future__ import annotations

import re

import httpx


def sign_up(url: str, token: str, email: str, password: str) -> str:
    """The new person's legacy token; `token` is somebody's. Raises where Label Studio does not take them in."""
    invited = httpx.get(
        f"{url}/api/invite", headers={"Authorization": f"Token {token}"}, timeout=60, trust_env=False
    ).raise_for_status()
    with httpx.Client(base_url=url, timeout=60, trust_env=False, follow_redirects=True) as browser:
        page = browser.get(invited.json()["invite_url"]).raise_for_status()
        hidden = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        fields = {"csrfmiddlewaretoken": hidden[1] if hidden else "", "email": email, "password": password}
        done = browser.post(str(page.url), data=fields, headers={"Referer": str(page.url)}).raise_for_status()
        if "/user/signup" in str(done.url):
            raise AssertionError(f"{email} was not signed up: {done.text[:500]}")
        return str(browser.get("/api/current-user/token").raise_for_status().json()["token"])
