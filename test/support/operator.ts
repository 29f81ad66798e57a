/** What an operator does to an activity, as the Web UI and the command line do it. */
import type { Client } from '@temporalio/client';

type Pending = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['describe']>>['raw']['pendingActivities']
>[number];

export class Operator {
  private readonly client: Client;
  private readonly workflowId: string;

  constructor(client: Client, workflowId: string) {
    this.client = client;
    this.workflowId = workflowId;
  }

  private about(type: string): { namespace: string; execution: { workflowId: string }; type: string } {
    return { namespace: this.client.options.namespace, execution: { workflowId: this.workflowId }, type };
  }

  async pause(type: string): Promise<void> {
    await this.client.workflowService.pauseActivity(this.about(type));
  }

  async unpause(type: string): Promise<void> {
    await this.client.workflowService.unpauseActivity(this.about(type));
  }

  async reset(type: string): Promise<void> {
    await this.client.workflowService.resetActivity(this.about(type));
  }

  /** As `temporal activity fail` does, which gives the failure no type. */
  async fail(type: string, message: string): Promise<void> {
    const { namespace, execution } = this.about(type);
    const activityId = (await this.pending(type))?.activityId ?? '';
    const failure = { message, source: 'CLI', applicationFailureInfo: { nonRetryable: true } };
    const { workflowId } = execution;
    await this.client.workflowService.respondActivityTaskFailedById({ namespace, workflowId, activityId, failure });
  }

  async pending(type: string): Promise<Pending | undefined> {
    const { raw } = await this.client.workflow.getHandle(this.workflowId).describe();
    return raw.pendingActivities?.find((one) => one.activityType?.name === type);
  }
}
