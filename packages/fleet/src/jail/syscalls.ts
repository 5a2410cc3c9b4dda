/** Numbers of the system calls that a jailed process is refused, as [x86-64, arm64]; null where the architecture has no such call. */

type Numbers = readonly [x64: number | null, arm64: number | null];

/** What could look at, signal or steer another process. Without signals to itself an aborting program ends by a trap instead. */
const otherProcesses = {
  ptrace: [101, 117], process_vm_readv: [310, 270], process_vm_writev: [311, 271], kcmp: [312, 272], pidfd_open: [434, 434],
  pidfd_getfd: [438, 438], pidfd_send_signal: [424, 424], kill: [62, 129], tkill: [200, 130], tgkill: [234, 131], rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240], fork: [57, null], vfork: [58, null], setpriority: [141, 140], ioprio_set: [251, 30], sched_setparam: [142, 118],
  sched_setscheduler: [144, 119], sched_setattr: [314, 274], sched_setaffinity: [203, 122],
} as const satisfies Record<string, Numbers>;

/** What could leave or rebuild the namespaces; `clone` itself is filtered by its flags. */
const namespaces = {
  unshare: [272, 97], setns: [308, 268], mount: [165, 40], umount2: [166, 39], pivot_root: [155, 41], chroot: [161, 51],
  open_tree: [428, 428], move_mount: [429, 429], fsopen: [430, 430], fsconfig: [431, 431], fsmount: [432, 432], fspick: [433, 433],
  mount_setattr: [442, 442], open_tree_attr: [467, 467], statmount: [457, 457], listmount: [458, 458], sethostname: [170, 161],
  setdomainname: [171, 162],
} as const satisfies Record<string, Numbers>;

/** No sockets of any family: files and inherited pipes are all that ffmpeg gets. */
const sockets = {
  socket: [41, 198], socketpair: [53, 199], connect: [42, 203], bind: [49, 200], listen: [50, 201], accept: [43, 202], accept4: [288, 242],
} as const satisfies Record<string, Numbers>;

/** Memory that no limit of the process counts. */
const uncountedMemory = {
  memfd_create: [319, 279], memfd_secret: [447, 447], shmget: [29, 194], semget: [64, 190], msgget: [68, 186], mq_open: [240, 180],
} as const satisfies Record<string, Numbers>;

/** In the output directory names are only ever added, so that whoever counts its files sees every byte; and changes that Landlock does not see. */
const specialFiles = {
  unlink: [87, null], unlinkat: [263, 35], rmdir: [84, null], rename: [82, null], renameat: [264, 38], renameat2: [316, 276],
  mkdir: [83, null], mkdirat: [258, 34], openat2: [437, 437],
  mknod: [133, null], mknodat: [259, 33], symlink: [88, null], symlinkat: [266, 36], link: [86, null], linkat: [265, 37],
  chmod: [90, null], fchmod: [91, 52], fchmodat: [268, 53], fchmodat2: [452, 452], chown: [92, null], fchown: [93, 55],
  lchown: [94, null], fchownat: [260, 54], setxattr: [188, 5], lsetxattr: [189, 6], fsetxattr: [190, 7], setxattrat: [463, 463],
  removexattr: [197, 14], lremovexattr: [198, 15], fremovexattr: [199, 16], removexattrat: [466, 466], file_setattr: [469, 469],
  utime: [132, null], utimes: [235, null], futimesat: [261, null], utimensat: [280, 88], name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265], fanotify_init: [300, 262],
} as const satisfies Record<string, Numbers>;

/** Parts of the kernel with a history of faults, and the administration of the machine. */
const kernel = {
  bpf: [321, 280], perf_event_open: [298, 241], userfaultfd: [323, 282], io_uring_setup: [425, 425], io_uring_enter: [426, 426],
  io_uring_register: [427, 427], add_key: [248, 217], request_key: [249, 218], keyctl: [250, 219], personality: [135, 92],
  modify_ldt: [154, null], move_pages: [279, 239], migrate_pages: [256, 238], lsm_set_self_attr: [460, 460],
  syslog: [103, 116], swapon: [167, 224], swapoff: [168, 225], reboot: [169, 142], init_module: [175, 105], finit_module: [313, 273],
  delete_module: [176, 106], kexec_load: [246, 104], kexec_file_load: [320, 294], quotactl: [179, 60], quotactl_fd: [443, 443],
  acct: [163, 89], settimeofday: [164, 170], clock_settime: [227, 112], clock_adjtime: [305, 266], adjtimex: [159, 171],
  iopl: [172, null], ioperm: [173, null], vhangup: [153, 58],
} as const satisfies Record<string, Numbers>;

export const deniedSystemCalls: Readonly<Record<string, Numbers>> =
  { ...otherProcesses, ...namespaces, ...sockets, ...uncountedMemory, ...specialFiles, ...kernel };

/** Calls that depend on one argument: refused when it has a bit of `refuse`, or lacks the bit of `need`. */
export type FlagRule = Readonly<{ numbers: Numbers; argument: number; refuse: number; need: number }>;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const newNamespaces = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;
const thread = 0x0001_0000;
/** O_TMPFILE makes a file without a name. */
const namelessFile = 0o20000000;

export const flagRules: readonly FlagRule[] = [
  { numbers: [56, 220], argument: 0, refuse: newNamespaces, need: thread }, // clone
  { numbers: [2, null], argument: 1, refuse: namelessFile, need: 0 }, // open
  { numbers: [257, 56], argument: 2, refuse: namelessFile, need: 0 }, // openat
  { numbers: [302, 261], argument: 0, refuse: 0xffff_ffff, need: 0 }, // prlimit64: of itself (0) alone
];

/** `clone3` has its flags in memory, where a filter can't see them: answered "not there", so libc falls back to `clone`. */
export const clone3Numbers: Numbers = [435, 435];
/** The first number that this table was not written for. Later calls are answered "not there", which libc expects of old kernels. */
export const firstUnknownNumber = 470;
