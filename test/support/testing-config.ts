/** The configuration that worker processes of `outlive/testing`'s own tests load, as one of an app would be. */
import { defineAgent, defineConfig } from '../../src/define.ts';
import { manualTask, scriptedModel } from '../../src/testing/index.ts';

const model = scriptedModel(({ newest, n }) => `${process.env['GREETING'] ?? 'call'} ${n}: ${newest}`);

export default defineConfig({
  agents: [defineAgent({ name: 'helper', instructions: 'Help.', model })],
  tasks: [manualTask('load')],
});
