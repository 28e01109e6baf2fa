// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/sigmf_archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "host/text.hpp"
#include "station/radio/sigmf.hpp"

namespace meshnet::station {

namespace {

constexpr std::size_t kBlock = 1 << 16;
constexpr std::size_t kMostMembers = 10'000;
constexpr std::string_view kMeta = ".sigmf-meta";

struct Free {
    void operator()(archive* a) const { archive_read_free(a); }
};
using Reader = std::unique_ptr<archive, Free>;

Error failed(archive* a) {
    const char* why = archive_error_string(a);
    return {ErrorCode::kInvalidData,
            std::string("is not a tar archive that can be read: ") + (why == nullptr ? "it is cut off" : why)};
}

/// A reader at the archive's first member.
Result<Reader> begin(int fd) {
    if (::lseek(fd, 0, SEEK_SET) != 0) {
        return Error{host::code_of(errno), "cannot be read from its beginning: " + host::reason(errno)};
    }
    Reader reader(archive_read_new());
    // No compression: the specification has none, and a few bytes cannot unpack to gigabytes.
    if (!reader || archive_read_support_filter_none(reader.get()) != ARCHIVE_OK ||
        archive_read_support_format_tar(reader.get()) != ARCHIVE_OK) {
        return Error{ErrorCode::kSystem, "cannot be read: no tar reader"};
    }
    if (archive_read_open_fd(reader.get(), fd, kBlock) != ARCHIVE_OK) {
        return failed(reader.get());
    }
    return reader;
}

/// The name of a member; null if it has none that can be written down.
const char* name_of(archive_entry* entry) {
    const char* name = archive_entry_pathname(entry);
    return name != nullptr ? name : archive_entry_pathname_utf8(entry);  // not of the locale's characters
}

/// The next regular file; null at the end.
Result<archive_entry*> next(archive* reader) {
    archive_entry* entry = nullptr;
    for (;;) {
        const int got = archive_read_next_header(reader, &entry);
        if (got == ARCHIVE_EOF) {
            return static_cast<archive_entry*>(nullptr);
        }
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN) {
            return failed(reader);
        }
        if (archive_entry_filetype(entry) == AE_IFREG && name_of(entry) != nullptr) {
            return entry;
        }
    }
}

class MemberSource final : public ByteSource {
public:
    explicit MemberSource(Reader reader) : reader_(std::move(reader)) {}
    Result<std::size_t> read(std::span<std::uint8_t> out) override {
        const la_ssize_t n = archive_read_data(reader_.get(), out.data(), out.size());
        if (n < 0) {
            const Error error = failed(reader_.get());
            return Error{error.code, "the archive " + error.message};
        }
        return static_cast<std::size_t>(n);
    }

private:
    Reader reader_;
};

Result<std::string> content(archive* reader, std::size_t most) {
    std::string out;
    std::array<char, 16'384> buffer;
    for (;;) {
        const la_ssize_t n = archive_read_data(reader, buffer.data(), buffer.size());
        if (n < 0) {
            return failed(reader);
        }
        if (n == 0) {
            return out;
        }
        if (out.size() + static_cast<std::size_t>(n) > most) {
            return Error{ErrorCode::kLimit, "holds metadata larger than 64 MiB"};
        }
        out.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

}  // namespace

Result<std::vector<ArchiveMember>> list_archive(int fd) {
    auto reader = begin(fd);
    if (!reader) {
        return reader.error();
    }
    std::vector<ArchiveMember> out;
    std::size_t metadata_bytes = 0;
    for (;;) {
        auto entry = next(reader->get());
        if (!entry) {
            return entry.error();
        }
        if (*entry == nullptr) {
            return out;
        }
        if (out.size() == kMostMembers) {
            return Error{ErrorCode::kLimit, "holds more than 10000 files"};
        }
        ArchiveMember member;
        member.name = name_of(*entry);
        member.bytes = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(*entry), 0));
        if (member.name.ends_with(kMeta)) {
            auto text = content(reader->get(), kMaxSigmfBytes - metadata_bytes);
            if (!text) {
                return text.error();
            }
            metadata_bytes += text->size();
            member.metadata = std::move(*text);
        }
        out.push_back(std::move(member));
    }
}

Result<std::unique_ptr<ByteSource>> open_archive_member(int fd, const std::string& name) {
    auto reader = begin(fd);
    if (!reader) {
        return reader.error();
    }
    for (;;) {
        auto entry = next(reader->get());
        if (!entry) {
            return entry.error();
        }
        if (*entry == nullptr) {
            return Error{ErrorCode::kNotFound, "holds no file " + name};
        }
        if (name == name_of(*entry)) {
            return std::unique_ptr<ByteSource>(std::make_unique<MemberSource>(std::move(*reader)));
        }
    }
}

}  // namespace meshnet::station
