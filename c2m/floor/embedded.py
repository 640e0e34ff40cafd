"""`python -m c2m.floor.embedded PORT`: the embedded broker, amqtt, on loopback. MQTT 3.1.1; sessions live in memory."""

import asyncio
import sys

import amqtt.broker
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import OutgoingApplicationMessage, Session

from c2m.floor import credentials
from c2m.floor.child import LOOPBACK


class PatientHandler(BrokerProtocolHandler):  # type: ignore[misc]  # amqtt is not typed
    """Keeps a QoS 1 message until it is acknowledged, over reconnections too.

    amqtt 0.12 drops it when the subscriber takes more than 5 s or loses its connection: at most once.
    """

    async def _handle_qos1_message_flow(self, app_message: OutgoingApplicationMessage) -> None:
        if not isinstance(app_message, OutgoingApplicationMessage):
            await super()._handle_qos1_message_flow(app_message)
            return
        self.session.inflight_out[app_message.packet_id] = app_message
        again = app_message.publish_packet is not None
        app_message.publish_packet = app_message.build_publish_packet(dup=again)
        acknowledged = asyncio.get_running_loop().create_future()
        self._puback_waiters[app_message.packet_id] = acknowledged
        try:
            await self._send_packet(app_message.publish_packet)
            app_message.puback_packet = await acknowledged
            self.session.inflight_out.pop(app_message.packet_id, None)
        finally:
            self._puback_waiters.pop(app_message.packet_id, None)


class Services(BaseAuthPlugin):  # type: ignore[misc]
    """Who has the platform's key."""

    async def authenticate(self, *, session: Session) -> bool:
        """Whether a client is one of ours."""
        return session.username == credentials.PLATFORM and credentials.is_platform(session.password or "")


async def serve(port: int) -> None:
    """Admits the platform's own services alone."""
    amqtt.broker.BrokerProtocolHandler = PatientHandler
    await amqtt.broker.Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}"}},
            "plugins": {"c2m.floor.embedded.Services": {}},
        }
    ).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
