// F2: the power goes in the middle of concurrent ingest, ROUNDS times (default 2) on XFS and on ext4: what was acked is
// there, once. Without syncs (storage.sync_commits = false) something is lost, or the test would not be able to fail.
// Every other round begins with an empty disk, where the files themselves are new.
//
// What arrives after the cut began does not count as acked: a sync under way in that instant may be answered with success
// and be lost (a bare loop of write and fdatasync shows the same on both file systems), but power that really goes leaves
// no process to pass that on.

import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { Server, backfillAll } from '../e2e/harness.mjs';
import { LoopDisk, needsLoopDisks, withOwnMounts } from './disks.mjs';
import { Audit, Ledger, assertSound, between, count, repeatWith } from './ledger.mjs';

withOwnMounts({ root: true });
needsLoopDisks();
const rounds = count('ROUNDS', 2);
repeatWith({ ROUNDS: rounds });

/** Writes for a while, cuts the power, and has the disk again. Gives what was acked before the cut. */
async function writeUntilPowerCut(server, disk, ledger) {
  const cutPower = disk.readyToCut();
  ledger.start(server, { refusals: [500, 503, 507] }); // the disk goes before the server does
  await ledger.sleepUnlessFailed(between(50, 800));
  const promised = [...ledger.acked];
  await cutPower();
  await server.kill9();
  await ledger.stop();
  await disk.powerBack();
  return promised;
}

for (const kind of ['xfs', 'ext4']) {
  test(`nothing acked is lost or doubled over ${rounds} power cuts on ${kind}`, async () => {
    const disk = new LoopDisk(kind);
    let server;
    let ledger;
    let acked = 0;
    for (let round = 1; round <= rounds; ++round) {
      if (round % 2 === 1) {
        await server?.stop();
        disk.make();
        ledger = new Ledger();
        server = await Server.start({ directory: disk.path });
      }
      const earlier = ledger.acked.size;
      const promised = await writeUntilPowerCut(server, disk, ledger);
      assertSound(path.join(disk.path, 'data'), `round ${round}`);
      const started = Date.now();
      await server.restart();
      const readyMs = Date.now() - started;
      const audit = new Audit(ledger).add((await backfillAll(server, { types: 'telemetry,system' })).events);
      audit.assertWhole(`round ${round}`, promised);
      acked += promised.length - earlier;
      console.log(`${kind}, round ${round}: ${promised.length} acked, ${audit.lost(promised).length} lost; ready after ${readyMs} ms`);
      ledger.acked = new Set(audit.stored.keys()); // now all of it has been read, and must stay
    }
    await server.stop();
    assert.ok(acked > rounds * 10, `the test did work: ${acked} points acked`);
    console.log(`power cuts on ${kind}: ${rounds} rounds, ${acked} acked, nothing lost or doubled`);
  });

  test(`without syncs a power cut on ${kind} takes what was acked, and nothing else goes wrong`, async () => {
    const disk = new LoopDisk(kind);
    const attempts = 10; // a sync of another file may take all that was written along
    let lost = 0;
    for (let round = 1; round <= attempts && lost === 0; ++round) {
      disk.make();
      const ledger = new Ledger();
      const server = await Server.start({ directory: disk.path, arguments: ['--storage.sync_commits=false'] });
      const promised = await writeUntilPowerCut(server, disk, ledger);
      await server.restart();
      const audit = new Audit(ledger).add((await backfillAll(server, { types: 'telemetry,system' })).events);
      assert.deepEqual(audit.doubled, []);
      assert.deepEqual(audit.wrong, []);
      lost = audit.lost(promised).length;
      console.log(`power cut on ${kind} without syncs: ${promised.length} acked, ${lost} lost`);
      await server.stop();
    }
    assert.ok(lost > 0, 'the power cut of this test takes what was not synced');
  });
}
