/**
 * Free ports of this machine's loopback address. What is found free can be taken a moment later: whoever opens the port tries again.
 */
import { connect, createServer } from 'node:net';

const HOST = '127.0.0.1';

/** `wanted` if nothing uses it, otherwise any free port; 0 wants any. */
export async function freePort(wanted?: number): Promise<number> {
  if (wanted !== undefined && wanted !== 0 && !(await accepts(wanted)) && (await listenOn(wanted)) !== undefined)
    return wanted;
  const any = await listenOn(0);
  if (any === undefined) throw new Error(`no port of ${HOST} is free`);
  return any;
}

/** Whether something answers there. Listening is not proof enough: some systems let a second program listen beside one on all addresses. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** The port that could be opened, closed again. */
function listenOn(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
