/** The worker of the baseline, in a process of its own, so that its CPU time is its own. */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import { taskQueueOf } from '../../src/contract.ts';
import { serve, settingsOfWorker } from '../process.ts';
import type { BaselineActivities } from './workflows.ts';

const { address, taskQueue } = settingsOfWorker();

const activities: BaselineActivities = {
  async work({ ms }) {
    const calledAt = Date.now();
    if (ms > 0) await pause(ms);
    return { calledAt, endedAt: Date.now() };
  },
};

const connection = await NativeConnection.connect({ address });
const workflowsPath = fileURLToPath(new URL('./workflows.ts', import.meta.url));
// As in outlive, workflows, models and tasks each have a task queue of their own.
await serve([
  await Worker.create({ connection, taskQueue, workflowsPath }),
  await Worker.create({ connection, taskQueue: taskQueueOf(taskQueue, 'models'), activities }),
  await Worker.create({ connection, taskQueue: taskQueueOf(taskQueue, 'tasks'), activities }),
]);
