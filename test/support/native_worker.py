"""A worker in another language: serves two workflow types until it is stopped."""
import asyncio
import sys
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@workflow.defn(name="py_sum")
class Sum:
    @workflow.run
    async def run(self, given: dict) -> dict:
        if "numbers" not in given:
            raise ApplicationError("no numbers", type="NoNumbers", non_retryable=True)
        return {"sum": sum(given["numbers"]), "by": "python"}


@workflow.defn(name="py_wait")
class Wait:
    @workflow.run
    async def run(self, given: dict) -> str:
        try:
            await asyncio.sleep(timedelta(days=1).total_seconds())
        except asyncio.CancelledError:
            raise
        return "woke up"


async def main(address: str, task_queue: str) -> None:
    client = await Client.connect(address)
    async with Worker(client, task_queue=task_queue, workflows=[Sum, Wait], workflow_runner=UnsandboxedWorkflowRunner()):
        print("ready", flush=True)
        await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], sys.argv[2]))
