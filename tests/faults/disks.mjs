// Disks that a test may fill or take the power from: mounted where nobody else sees them, gone with the test.
//
// The test program runs itself again in mount and process namespaces of its own: when it ends, however it ends, the kernel
// ends what it started, unmounts and gives the loop devices back.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { atEnd, tempDirectory, until } from '../e2e/harness.mjs';
import { needs, skip } from './ledger.mjs';

const marker = 'MILLSTREAM_OWN_MOUNTS';
const apart = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

function run(command, ...args) {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Call first: returns only in the namespaces, and skips the test where they may not be made. */
export function withOwnMounts({ root }) {
  if (process.env[marker]) return;
  const isRoot = process.getuid() === 0;
  if (root && !isRoot) skip('needs root, for file systems on loop devices');
  const flags = isRoot ? apart : ['--user', '--map-root-user', ...apart];
  needs('unshare', [...flags, 'true'], 'mounts of its own are not allowed here');
  const { status } = spawnSync('unshare', [...flags, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [marker]: 'yes' },
  });
  process.exit(status ?? 1);
}

/** A file system in memory, whose size can be changed while it is used. */
export class MemoryDisk {
  constructor(megabytes) {
    this.path = tempDirectory('memory-disk');
    run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'millstream', this.path);
    atEnd(() => run('umount', this.path)); // before its directory is removed, after the server is stopped
  }

  resize(megabytes) {
    // Naming the source keeps mount from adding the options it finds, which a user of this namespace may not set.
    run('mount', '-t', 'tmpfs', '-o', `remount,size=${megabytes}m`, 'millstream', this.path);
  }

  freeBytes() {
    const { bavail, bsize } = fs.statfsSync(this.path);
    return bavail * bsize;
  }
}

const makers = { xfs: ['mkfs.xfs', '-q', '-f'], ext4: ['mkfs.ext4', '-q', '-F'] };

/** A file system on a loop device, whose power can be cut: what it had not been told to sync is gone. */
export class LoopDisk {
  constructor(kind) {
    this.kind = kind;
    const directory = tempDirectory(`loop-disk-${kind}`);
    this.image = path.join(directory, 'image');
    this.path = path.join(directory, 'mount');
    fs.mkdirSync(this.path);
    atEnd(() => this.unmount());
  }

  /** Empties it, and mounts it. */
  make() {
    this.unmount();
    fs.rmSync(this.image, { force: true });
    fs.closeSync(fs.openSync(this.image, 'w'));
    fs.truncateSync(this.image, 400 << 20); // mkfs.xfs makes none below 300 MiB; the file is sparse
    const [maker, ...flags] = makers[this.kind];
    run(maker, ...flags, this.image);
    this.mount();
  }

  mount() {
    run('mount', '-o', 'loop', this.image, this.path);
    this.mounted = true;
  }

  unmount() {
    if (!this.mounted) return;
    run('umount', this.path);
    this.mounted = false;
  }

  /** Gives what cuts the power: from then on nothing reaches the device, not even the journal that waits in memory. */
  readyToCut() {
    const switcher = spawn('xfs_io', ['-x', this.path], { stdio: ['pipe', 'ignore', 'inherit'] }); // FS_IOC_SHUTDOWN, no flush
    const ended = new Promise((resolve) => switcher.on('close', resolve));
    return () => {
      switcher.stdin.end('shutdown\nquit\n');
      return ended;
    };
  }

  /** As after power came back. Whoever used it must have ended. */
  async powerBack() {
    await until(() => {
      this.unmount();
      return true;
    }, 'the disk is not used any more');
    this.mount();
  }
}

/** Skips the test where there can be no loop device. */
export function needsLoopDisks() {
  needs('mkfs.xfs', ['-V'], 'needs xfsprogs');
  needs('mkfs.ext4', ['-V'], 'needs e2fsprogs');
  const disk = new LoopDisk('ext4');
  try {
    disk.make();
    disk.unmount();
  } catch (error) {
    fs.rmSync(path.dirname(disk.image), { recursive: true, force: true });
    skip(`needs loop devices: ${(error.stderr ?? error.message).trim().split('\n')[0]}`);
  }
}
