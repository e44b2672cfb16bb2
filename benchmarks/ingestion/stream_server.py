"""Sends trades as Binance's stream does, at a rate, each with the clock at which it was sent: `SECONDS RATE`."""

import asyncio
import sys
import time

from websockets.asyncio.server import ServerConnection, serve

FRAME = (
    '{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{ms},"s":"BTCUSDT","a":{id},"p":"67000.01","q":"0.001",'
    '"f":{id},"l":{id},"T":{ms},"m":true,"sent":{sent}}}}}'
)


async def send(connection: ServerConnection, seconds: float, rate: int) -> None:
    """Send frames, those of a hundredth of a second together, until the time is over; then close."""
    began, number = time.monotonic(), 0
    while (now := time.monotonic()) < began + seconds:
        due = int((now - began) * rate)
        for id_ in range(number, due):
            frame = FRAME.format(ms=time.time_ns() // 1_000_000, id=id_, sent=time.monotonic_ns())
            await connection.send(frame)
        number = due
        await asyncio.sleep(0.001)
    await connection.close()


async def main() -> None:
    """Serve on a free port, and say which."""
    seconds, rate = float(sys.argv[1]), int(sys.argv[2])
    async with serve(lambda made: send(made, seconds, rate), "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
