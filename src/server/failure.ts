/**
 * Connection errors in words. The gRPC libraries under the two connections, in JavaScript for clients and in Rust for workers, tell what
 * happened only in free text, each in its own; the patterns below are what they were seen to say. A text that matches none is passed on.
 */
import { inSentence } from './problem.ts';

interface Sentence {
  pattern: RegExp;
  say(address: string, namespace: string, text: string): string;
}

/** The first match wins: the particular before the general. */
const SENTENCES: readonly Sentence[] = [
  {
    pattern: /EADDRINUSE|address already in use/i,
    say: (address) => `The port of ${address} is taken by another program: stop that program or choose another port.`,
  },
  {
    pattern: /invalid address|invalid port|ERR_SOCKET_BAD_PORT|ERR_INVALID_URL|domain name$/im,
    say: (address) => `${JSON.stringify(address)} is not an address of the form host:port: correct TEMPORAL_ADDRESS.`,
  },
  {
    pattern: /ECONNREFUSED|ConnectionRefused/,
    say: (address) =>
      `There is no Temporal server at ${address} (connection refused): start one with "outlive dev" or set TEMPORAL_ADDRESS to the address of one that runs.`,
  },
  {
    pattern: /name resolution failed|ENOTFOUND|EAI_AGAIN|dns error/i,
    say: (address) => `The host name in ${address} cannot be found: check TEMPORAL_ADDRESS and the network.`,
  },
  {
    pattern: /PEM routines|PrivateKeyParseError|CertificateParseError/i,
    say: (address) =>
      `The client certificate or its key for ${address} cannot be read: check that TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH name PEM files.`,
  },
  {
    pattern:
      /alert (certificate required|bad certificate|unknown ca|certificate expired|handshake failure)|received fatal alert/i,
    say: (address) =>
      `The server at ${address} refuses the client certificate: check TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH.`,
  },
  {
    pattern:
      /self-signed|unable to (verify|get)|altname|InvalidCertificate|certificate has expired|certificate is not yet valid/i,
    say: (address, _namespace, text) =>
      `The certificate of the server at ${address} is not trusted (${certificateReason(text)}): check the address, and set TEMPORAL_TLS_SERVER_CA_CERT_PATH or TEMPORAL_TLS_SERVER_NAME if the server has its own.`,
  },
  {
    pattern: /wrong version number|InvalidContentType|packet length too long/i,
    say: (address) => `The server at ${address} does not speak TLS: set TEMPORAL_TLS=false, or check the address.`,
  },
  {
    pattern: /namespace\b.*\bnot found/i,
    say: (address, namespace) =>
      `The Temporal server at ${address} has no namespace "${namespace}": check TEMPORAL_NAMESPACE, or create it with "temporal operator namespace create -n ${namespace} --address ${address}".`,
  },
  {
    pattern:
      /UNAUTHENTICATED|PERMISSION_DENIED|valid authentication credentials|does not have permission|unauthorized/i,
    say: (address, namespace) =>
      `The Temporal server at ${address} refuses access to namespace "${namespace}": check TEMPORAL_API_KEY or the client certificate, and the namespace's name.`,
  },
  {
    pattern: /deadline|ETIMEDOUT|timed? ?out/i,
    say: (address) =>
      `The server at ${address} did not answer in time: check the address and that no firewall is in between.`,
  },
  {
    pattern: /protocol error|http2|hyper::Error|ECONNRESET|socket hang up|Failed to connect \(/i,
    say: (address) =>
      `What listens at ${address} did not answer as a Temporal server does: check the address, and set TEMPORAL_TLS=true or a client certificate in TEMPORAL_TLS_CLIENT_CERT_PATH if the server expects that.`,
  },
];

/** One sentence for a failure of either kind of connection, or of a port that was to be opened: the address, what is wrong, what to do. */
export function connectionFailure(error: unknown, address: string, namespace: string): string {
  const text = wholeText(error);
  const known = SENTENCES.find(({ pattern }) => pattern.test(text));
  return (
    known?.say(address, namespace, text) ??
    `Temporal at ${address} cannot be used (${inSentence(text)}): check TEMPORAL_ADDRESS and the server's log.`
  );
}

function wholeText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const parts = [error.message, (error as NodeJS.ErrnoException).code ?? ''];
  if (error instanceof AggregateError) parts.push(...error.errors.map(wholeText));
  if (error.cause !== undefined) parts.push(wholeText(error.cause));
  return parts.filter((part) => part !== '').join('\n');
}

function certificateReason(text: string): string {
  const reason =
    /self-signed certificate|unable to verify[^;.\n]*|unable to get[^;.\n]*|certificate has expired|certificate is not yet valid/i.exec(
      text,
    )?.[0];
  return reason ?? (/altname|NotValidForName/i.test(text) ? 'it is for another host name' : 'it does not verify');
}
