/** Before anything else is read: an older Node would answer with a syntax error. Plain JavaScript, which every Node reads. */
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(
    `Expected Node 24 or newer, got ${process.version}: install it, or on Linux run "npm ci" without leaving out optional packages, which bring it.`,
  );
  process.exit(1);
}
