"""What `strades up` keeps of NGINX's error log."""

from strades_pipelines.serving.nginx_log import RepeatedErrors

TOO_LARGE = (
    "2026/11/30 18:00:00 [error] 31#31: *%d client intended to send too large body: %d bytes, client: 192.0.2.7, "
    'server: localhost, request: "POST /%s HTTP/1.1", host: "localhost:8443"'
)
REFUSED = (
    "2026/11/30 18:00:00 [error] 31#31: *7 connect() to unix:/run/dashboard.sock failed (111: Connection refused) "
    'while connecting to upstream, client: 192.0.2.7, server: localhost, request: "GET / HTTP/1.1"'
)
STOPPED = "2026/11/30 18:00:00 [emerg] 31#31: bind() to 127.0.0.1:8443 failed (98: Address already in use)"


def test_a_thousand_requests_leave_a_line_a_minute_and_hide_no_other_error() -> None:
    written, now = list[str](), [0.0]
    keep = RepeatedErrors(lambda part, line: written.append(f"{part}: {line}"), lambda: now[0])
    for at in range(90):
        now[0] = float(at)
        for number in range(100):
            keep("nginx", TOO_LARGE % (100 * at + number, 262145 + number, f"a, client: {number}"))
    keep("nginx", REFUSED)
    assert [line.split(" bytes")[0][-6:] for line in written[:2]] == ["262145", "262145"]
    assert written[2:] == [f"nginx: {REFUSED}"]


def test_what_is_about_no_request_is_always_written() -> None:
    written: list[str] = []
    keep = RepeatedErrors(lambda _part, line: written.append(line), lambda: 0.0)
    for _ in range(3):
        keep("nginx", STOPPED)
    assert written == [STOPPED] * 3
