// SPDX-License-Identifier: MIT
// A wall clock that is wrong by as much as a file says: preloaded into a program by tests. The file named by
// MESHNET_CLOCK_OFFSET holds the offset, eight bytes of seconds in the machine's order, and may change at any time.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>
#include <ctime>

#include <cstdint>
#include <cstdlib>

namespace {

std::int64_t offset() {
    static const volatile std::int64_t* const mapped = []() -> const volatile std::int64_t* {
        const char* path = std::getenv("MESHNET_CLOCK_OFFSET");
        const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return nullptr;
        }
        void* at = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
        ::close(fd);
        return at == MAP_FAILED ? nullptr : static_cast<const volatile std::int64_t*>(at);
    }
    ();
    return mapped == nullptr ? 0 : *mapped;
}

int real_time(clockid_t clock, timespec* out) {
    // NOLINTNEXTLINE: what dlsym gives is a function
    static const auto next = reinterpret_cast<int (*)(clockid_t, timespec*)>(::dlsym(RTLD_NEXT, "clock_gettime"));
    return next(clock, out);
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* out) noexcept {
    const int result = real_time(clock, out);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += offset();
    }
    return result;
}

extern "C" int gettimeofday(timeval* out, void*) noexcept {
    timespec now{};
    const int result = clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return result;
}

extern "C" time_t time(time_t* out) noexcept {
    timespec now{};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != nullptr) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
