// SPDX-License-Identifier: MIT
#include "host/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "host/text.hpp"
#include "host/unique_fd.hpp"

namespace meshnet::host {

Result<std::size_t> read_some(int fd, std::span<std::uint8_t> out, const std::string& what) {
    ssize_t n = 0;
    do {
        n = ::read(fd, out.data(), out.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return system_error(what, errno);
    }
    return static_cast<std::size_t>(n);
}

Result<std::size_t> read_full(int fd, std::span<std::uint8_t> out, const std::string& what) {
    std::size_t size = 0;
    while (size < out.size()) {
        const auto n = read_some(fd, out.subspan(size), what);
        if (!n) {
            return n.error();
        }
        if (*n == 0) {
            break;
        }
        size += *n;
    }
    return size;
}

Status write_all(int fd, ByteView bytes, const std::string& what) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return system_error(what, errno);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return Ok{};
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd) {
        return system_error(path + ": cannot be opened", errno);
    }
    std::string out;
    std::vector<std::uint8_t> chunk(std::min(max_bytes + 1, std::size_t{1} << 16));
    while (out.size() <= max_bytes) {
        const auto n = read_full(fd.get(), chunk, path + ": cannot be read");
        if (!n) {
            return n.error();
        }
        out.append(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(*n));
        if (*n < chunk.size()) {
            break;
        }
    }
    if (out.size() > max_bytes) {
        return Error{ErrorCode::kLimit, path + ": larger than " + std::to_string(max_bytes) + " bytes"};
    }
    return out;
}

Status sync_folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const UniqueFd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd || ::fsync(fd.get()) != 0) {
        return system_error("folder " + folder + " cannot be synced", errno);
    }
    return Ok{};
}

Status copy_durably(const std::string& from, const std::string& to) {
    const std::string cannot = from + " cannot be copied to " + to;
    const UniqueFd in{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!in) {
        return system_error(cannot, errno);
    }
    const std::string fresh = to + ".new";
    ::unlink(fresh.c_str());  // left by a copy that was cut off
    const UniqueFd out{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!out) {
        return system_error(cannot, errno);
    }
    std::vector<std::uint8_t> buffer(std::size_t{1} << 16);
    Status done = Ok{};
    while (done) {
        const auto n = read_some(in.get(), buffer, cannot);
        if (!n) {
            done = n.error();
        } else if (*n == 0) {
            break;
        } else {
            done = write_all(out.get(), ByteView(buffer).first(*n), cannot);
        }
    }
    if (done && (::fsync(out.get()) != 0 || std::rename(fresh.c_str(), to.c_str()) != 0)) {
        done = system_error(cannot, errno);
    }
    if (!done) {
        ::unlink(fresh.c_str());
        return done;
    }
    return sync_folder_of(to);
}

Status replace_file(const std::string& path, ByteView bytes) {
    const std::string cannot = path + " cannot be written";
    const std::string fresh = path + ".new";
    ::unlink(fresh.c_str());  // left by a replacement that was cut off
    UniqueFd out{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644)};
    if (!out) {
        return system_error(cannot, errno);
    }
    Status done = write_all(out.get(), bytes, cannot);
    if (done && (::fsync(out.get()) != 0 || std::rename(fresh.c_str(), path.c_str()) != 0)) {
        done = system_error(cannot, errno);
    }
    if (!done) {
        ::unlink(fresh.c_str());
        return done;
    }
    return sync_folder_of(path);
}

Result<bool> same_content(const std::string& a, const std::string& b) {
    const UniqueFd files[] = {UniqueFd{::open(a.c_str(), O_RDONLY | O_CLOEXEC)},
                              UniqueFd{::open(b.c_str(), O_RDONLY | O_CLOEXEC)}};
    if (!files[0] || !files[1]) {
        return system_error((files[0] ? b : a) + ": cannot be opened", errno);
    }
    std::vector<std::uint8_t> buffers[2];
    do {
        for (std::size_t i = 0; i < 2; ++i) {
            buffers[i].resize(std::size_t{1} << 16);
            const auto n = read_full(files[i].get(), buffers[i], (i == 0 ? a : b) + ": cannot be read");
            if (!n) {
                return n.error();
            }
            buffers[i].resize(*n);
        }
        if (buffers[0] != buffers[1]) {
            return false;
        }
    } while (!buffers[0].empty());
    return true;
}

bool same_file(int fd, const std::string& path) {
    struct stat a {};
    struct stat b {};
    return ::fstat(fd, &a) == 0 && ::stat(path.c_str(), &b) == 0 && S_ISREG(a.st_mode) && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

}  // namespace meshnet::host
