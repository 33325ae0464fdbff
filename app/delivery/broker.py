"""The broker between machines: it carries hints and nothing else, and may lose every one of them.

A task has two arguments, channel and lane. Names and arguments are an interface between releases that run side by side:
a new argument must be optional, a removed task is kept for one release.
"""

import ssl
from typing import Any

from celery import Celery  # type: ignore[import-untyped]
from kombu.entity import Queue

from app.outbox.rules import Lane
from app.settings import Settings

DRAIN = "tessera.drain"
PING = "tessera.ping"
HINT_EXPIRES_S = 30
PING_QUEUE_EXPIRES_S = 300
# with the defaults a publisher was still blocked after 40 s on a frozen Redis, with these it gave up after 0.5 s
REDIS_PUBLISHER = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "max_retries": 0}
AMQP_PUBLISHER = {"connect_timeout": 0.5, "read_timeout": 0.5, "write_timeout": 0.5, "max_retries": 0}
CHECKED = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
# a worker whose connection died without a word asks again within about twenty seconds
REDIS_CONSUMER = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "queue_order_strategy": "priority",
}


def queue_name(lane: Lane) -> str:
    """The queue of a lane: urgent, normal or bulk."""
    return lane.name.lower()


def publisher(settings: Settings, own_queue: str = "") -> Celery:
    """For those who send hints: whatever the broker does, a call ends within about a second."""
    made = _app(settings, [queue_name(lane) for lane in Lane], own_queue)
    made.conf.broker_transport_options = REDIS_PUBLISHER if _is_redis(settings) else AMQP_PUBLISHER
    return made


def consumer(settings: Settings, lanes: tuple[Lane, ...], own_queue: str) -> Celery:
    """For a worker: it takes the hints of these lanes, and pings itself through a queue of its own."""
    made = _app(settings, [queue_name(lane) for lane in sorted(lanes)], own_queue)
    made.conf.broker_transport_options = REDIS_CONSUMER if _is_redis(settings) else {}
    made.set_default()  # the threads of Celery's pool look for their tasks there
    return made


def send(app: Celery, name: str, *arguments: Any, queue: str) -> None:
    """Send one task; raises what the broker's client raises."""
    app.send_task(name, args=arguments, queue=queue, expires=HINT_EXPIRES_S, ignore_result=True, retry=False)


def _app(settings: Settings, names: list[str], own_queue: str) -> Celery:
    queues = [_queue(name) for name in names]
    if own_queue:
        queues.append(_queue(own_queue, auto_delete=True, expires=PING_QUEUE_EXPIRES_S))
    made = Celery("tessera", broker=settings.broker_url, set_as_current=False, fixups=[])
    made.conf.update(
        task_queues=queues,
        task_default_queue=names[0],
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        result_backend=None,
        task_acks_late=False,
        task_publish_retry=False,
        task_serializer="json",
        accept_content=["json"],
        event_serializer="json",
        broker_connection_timeout=2,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=1,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_soft_shutdown_timeout=25,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        enable_utc=True,
    )
    if settings.broker_url.startswith("rediss://"):
        made.conf.broker_use_ssl = CHECKED  # with the client's default, anybody's certificate is accepted
    return made


def _queue(name: str, **more: Any) -> Queue:
    # on Redis a queue is a list that exists while it holds something
    return Queue(name, **more)  # type: ignore[no-untyped-call]


def _is_redis(settings: Settings) -> bool:
    return settings.broker_url.startswith(("redis://", "rediss://"))
