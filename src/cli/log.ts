/**
 * One log for everything that a worker says, the lines of Temporal's SDK included: pretty on a terminal, JSON else, on stderr.
 *
 * OUTLIVE_LOG   `trace`, `debug`, `info`, `warn` or `error`; default `info`
 */
import { DefaultLogger, makeTelemetryFilterString, Runtime, type LogLevel } from '@temporalio/worker';
import { pino, type Level, type Logger } from 'pino';
import { PinoPretty as pretty } from 'pino-pretty';
import { Problem } from './problem.ts';

const LEVELS: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error'];
const STDERR = 2;
/** Three of the four workers of a process have none. */
const NO_WORKFLOWS = 'No workflows registered';

/** @throws Problem when OUTLIVE_LOG names no level. */
export function createLog(env: NodeJS.ProcessEnv = process.env): Logger {
  const level = env['OUTLIVE_LOG'] || 'info';
  if (!(LEVELS as readonly string[]).includes(level))
    throw new Problem(`Expected OUTLIVE_LOG to be one of ${LEVELS.join(', ')}, got ${JSON.stringify(level)}.`);
  const destination = process.stderr.isTTY
    ? pretty({
        destination: STDERR,
        sync: true,
        ignore: 'pid,hostname',
        translateTime: 'SYS:HH:MM:ss',
        singleLine: true,
      })
    : pino.destination({ dest: STDERR, sync: true });
  return pino({ level, base: { pid: process.pid } }, destination);
}

/** Lets Temporal's SDK write to the log, its native part included. What it tells of its own course is for who looks for a fault. */
export function takeSdkLines(log: Logger): void {
  const least = log.level.toUpperCase() as LogLevel;
  Runtime.install({
    logger: new DefaultLogger(least, ({ level, message, meta }) => {
      const isOfNoUse = level === 'INFO' || message.startsWith(NO_WORKFLOWS);
      log[isOfNoUse ? 'debug' : (level.toLowerCase() as Level)](meta ?? {}, message);
    }),
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) },
    },
  });
}
