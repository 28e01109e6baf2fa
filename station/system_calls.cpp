// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/system_calls.hpp"

#include <linux/netlink.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "host/text.hpp"

namespace meshnet::station {

namespace {

// Allowed with any arguments. Names a machine does not have are passed over. Left out on purpose: execve and execveat,
// ptrace, process_vm_*, kcmp, pidfd_*, mount and its kin, setns, unshare, chroot, bpf, perf_event_open, userfaultfd,
// io_uring_*, keyctl and its kin, modules, kexec, reboot, swap, iopl, clocks that are set, names of the machine, users
// and groups, kill.
constexpr const char* kAllowed[] = {
    // Bytes.
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2", "lseek",
    "_llseek", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "ioctl", "pipe", "pipe2", "splice",
    "tee", "sendfile", "sendfile64", "copy_file_range",
    // Files.
    "open", "openat", "openat2", "creat", "access", "faccessat", "faccessat2", "stat", "stat64", "lstat", "lstat64",
    "fstat", "fstat64", "newfstatat", "fstatat64", "statx", "statfs", "statfs64", "fstatfs", "fstatfs64", "getdents",
    "getdents64", "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir", "rename", "renameat", "renameat2", "link",
    "linkat", "unlink", "unlinkat", "symlink", "symlinkat", "readlink", "readlinkat", "chmod", "fchmod", "fchmodat",
    "chown", "fchown", "lchown", "fchownat", "chown32", "fchown32", "lchown32", "umask", "truncate", "truncate64",
    "ftruncate", "ftruncate64", "fallocate", "fadvise64", "fadvise64_64", "arm_fadvise64_64", "readahead",
    "sync_file_range", "sync_file_range2", "fsync", "fdatasync", "sync", "syncfs", "flock", "utime", "utimes",
    "futimesat", "utimensat", "utimensat_time64", "inotify_init", "inotify_init1", "inotify_add_watch",
    "inotify_rm_watch", "getxattr", "lgetxattr", "fgetxattr",
    // Memory.
    "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "mlock", "mlock2", "munlock",
    "mlockall", "munlockall", "memfd_create", "membarrier", "mbind", "set_mempolicy", "get_mempolicy", "shmget",
    "shmat", "shmdt", "shmctl", "semget", "semop", "semtimedop", "semtimedop_time64", "semctl",
    // Waiting and time.
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "epoll_create",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "timerfd_create",
    "timerfd_settime", "timerfd_settime64", "timerfd_gettime", "timerfd_gettime64", "signalfd", "signalfd4",
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "clock_nanosleep",
    "clock_nanosleep_time64", "nanosleep", "gettimeofday", "time", "times", "timer_create", "timer_settime",
    "timer_settime64", "timer_gettime", "timer_gettime64", "timer_getoverrun", "timer_delete", "getitimer", "setitimer",
    "alarm", "pause",
    // Signals to itself, threads.
    "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
    "rt_sigreturn", "sigreturn", "sigaltstack", "tgkill", "restart_syscall", "futex", "futex_time64", "futex_waitv",
    "set_robust_list", "get_robust_list", "set_tid_address", "set_thread_area", "arch_prctl", "rseq", "gettid", "exit",
    "exit_group", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_setparam",
    "sched_getscheduler", "sched_setscheduler", "sched_get_priority_max", "sched_get_priority_min", "sched_getattr",
    "sched_setattr", "sched_rr_get_interval", "sched_rr_get_interval_time64", "getpriority", "setpriority", "getcpu",
    "wait4", "waitid", "cacheflush", "riscv_flush_icache", "riscv_hwprobe", "set_tls", "get_tls", "breakpoint",
    // What it is and what it runs on.
    "getpid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "getuid32", "geteuid", "geteuid32", "getgid",
    "getgid32", "getegid", "getegid32", "getresuid", "getresuid32", "getresgid", "getresgid32", "getgroups",
    "getgroups32", "capget", "uname", "sysinfo", "getrusage", "getrlimit", "ugetrlimit", "setrlimit", "getrandom",
    // Sockets; socket() itself is below.
    "socketpair", "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "shutdown", "send", "sendto", "recv", "recvfrom", "sendmsg", "sendmmsg", "recvmsg", "recvmmsg",
    "recvmmsg_time64"};

/// Adds rules one after another; keeps the first failure.
class Filter {
public:
    Filter() : filter_(::seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), ::seccomp_release) {
        if (!filter_) {
            error_ = -ENOMEM;
        }
        attribute(SCMP_FLTATR_CTL_TSYNC, 1);
        attribute(SCMP_FLTATR_API_SYSRAWRC, 1);  // the kernel's own reason if it refuses
        attribute(SCMP_FLTATR_CTL_SSB, 1);       // older kernels would slow the whole process down
        attribute(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree
    }
    template <class... Conditions>
    void allow(const char* name, Conditions... conditions) {
        const int number = ::seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR || error_ != 0) {
            return;
        }
        const int done = ::seccomp_rule_add(filter_.get(), SCMP_ACT_ALLOW, number,
                                            static_cast<unsigned>(sizeof...(conditions)), conditions...);
        if (done != 0 && done != -EDOM) {  // EDOM: this architecture has no such call
            error_ = done;
        }
    }
    int load() { return error_ != 0 ? error_ : ::seccomp_load(filter_.get()); }

private:
    void attribute(scmp_filter_attr name, std::uint32_t value) {
        if (error_ == 0) {
            (void)::seccomp_attr_set(filter_.get(), name, value);  // what an older library lacks is not needed
        }
    }
    std::unique_ptr<void, void (*)(void*)> filter_;
    int error_ = 0;
};

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, 0xFFFF'FFFFU, value};  // the upper half of an int is not defined
}

}  // namespace

Status restrict_system_calls() {
    Filter filter;
    for (const char* name : kAllowed) {
        filter.allow(name);
    }
    // Threads, no processes; clone3 passes flags in memory, where no filter can read them: the C library falls back.
    constexpr std::uint64_t kThread = CLONE_THREAD;
    filter.allow("clone", scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, kThread, kThread});
    for (const int domain : {AF_UNIX, AF_INET, AF_INET6}) {
        filter.allow("socket", equals(0, static_cast<std::uint64_t>(domain)));
    }
    // Interfaces and routes, and hot-plugged devices: neither packet filters nor the rest of what CAP_NET_ADMIN opens.
    for (const int protocol : {NETLINK_ROUTE, NETLINK_KOBJECT_UEVENT}) {
        filter.allow("socket", equals(0, AF_NETLINK), equals(2, static_cast<std::uint64_t>(protocol)));
    }
    for (const int what : {PR_SET_NAME, PR_GET_NAME, PR_SET_TIMERSLACK, PR_GET_DUMPABLE, PR_SET_VMA}) {
        filter.allow("prctl", equals(0, static_cast<std::uint64_t>(what)));
    }
    filter.allow("prlimit64", equals(0, 0));  // of itself
    if (const int error = filter.load(); error != 0) {
        return Error{host::code_of(-error), host::reason(-error)};
    }
    return Ok{};
}

}  // namespace meshnet::station
