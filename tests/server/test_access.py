"""Only this server's own page, and only who has the token, gets an answer."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from deeptracker.server.access import Access, access_for
from deeptracker.server.app import create_app

TOKEN = "a-token-for-tests"


def local(root: Path) -> TestClient:
    return TestClient(create_app(str(root), access_for("127.0.0.1", None)), base_url="http://127.0.0.1:8000")


def guarded(root: Path) -> TestClient:
    return TestClient(create_app(str(root), access_for("0.0.0.0", TOKEN)), base_url="http://10.1.2.3:8000")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:1"])
def test_the_names_of_this_machine_are_answered(served_root: Path, host: str) -> None:
    assert local(served_root).get("/api/runs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.1.2.3", "", "localhost.evil:80"])
def test_another_host_is_refused_so_that_rebinding_a_name_gets_nothing(served_root: Path, host: str) -> None:
    response = local(served_root).get("/api/runs", headers={"Host": host})
    assert response.status_code == 403
    assert "--allow-host" in response.json()["error"]["remedy"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9000", "http://localhost:8000"])
def test_a_page_of_another_origin_is_refused(served_root: Path, origin: str) -> None:
    assert local(served_root).get("/api/runs", headers={"Origin": origin}).status_code == 403


def test_our_own_page_is_answered(served_root: Path) -> None:
    assert local(served_root).get("/api/runs", headers={"Origin": "http://127.0.0.1:8000"}).status_code == 200


@pytest.mark.parametrize("path", ["/api/runs", "/api/live", "/assets/x.js", "/api/openapi.json", "/nope"])
def test_without_the_token_nothing_is_answered(served_root: Path, path: str) -> None:
    response = guarded(served_root).get(path)
    assert response.status_code == 401
    assert response.json()["error"]["status"] == 401


@pytest.mark.parametrize("given", ["Bearer wrong-token-here", "Bearer ", TOKEN[:-1], "Bearer " + TOKEN + "x"])
def test_a_wrong_token_is_no_token(served_root: Path, given: str) -> None:
    assert guarded(served_root).get("/api/runs", headers={"Authorization": given}).status_code == 401


def test_a_bearer_token_opens_the_api(served_root: Path) -> None:
    assert guarded(served_root).get("/api/runs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_link_sets_a_cookie_and_leaves_the_token_out_of_the_address(served_root: Path) -> None:
    client = guarded(served_root)
    response = client.get(f"/?run=small&token={TOKEN}", follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"] == "/?run=small"
    assert "httponly" in response.headers["set-cookie"].lower()
    assert "samesite=strict" in response.headers["set-cookie"].lower()
    assert client.get("/api/runs").status_code == 200


def test_the_page_asks_for_the_token_in_words(served_root: Path) -> None:
    response = guarded(served_root).get("/")
    assert response.status_code == 401
    assert "token" in response.text
    assert guarded(served_root).get("/?token=wrong-token").status_code == 401


def test_the_token_holds_for_names_as_well_as_addresses(served_root: Path) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}
    assert guarded(served_root).get("/api/runs", headers=headers).status_code == 403


def test_an_address_of_the_network_needs_a_token() -> None:
    with pytest.raises(ValueError, match="needs a token"):
        access_for("192.168.1.5", None)
    with pytest.raises(ValueError, match="at least 8"):
        Access(token="short")
