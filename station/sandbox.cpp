// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/sandbox.hpp"

#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "host/text.hpp"
#include "station/system_calls.hpp"

namespace meshnet::station {

namespace {

using Lines = std::vector<std::string>;

constexpr rlim_t kLockedBytes = 64U << 20;  // what root's CAP_IPC_LOCK gave: key material, buffers of drivers

void raise_limit(__rlimit_resource resource, rlim_t to) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) == 0 && limit.rlim_cur < to) {
        limit.rlim_cur = to;
        limit.rlim_max = std::max(limit.rlim_max, to);
        (void)::setrlimit(resource, &limit);  // without CAP_SYS_RESOURCE it stays as it is
    }
}

struct User {
    uid_t uid = 0;
    gid_t gid = 0;
};

Result<std::optional<User>> find_user(const std::string& name) {
    if (name.empty()) {
        return std::optional<User>();
    }
    errno = 0;
    const passwd* entry = ::getpwnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): one thread
    if (entry == nullptr) {
        return Error{ErrorCode::kNotFound, "[station] user: there is no user \"" + name + "\" here" +
                                               (errno != 0 ? ": " + host::reason(errno) : std::string())};
    }
    if (entry->pw_uid == ::geteuid()) {
        return std::optional<User>();
    }
    if (::geteuid() != 0) {
        return Error{ErrorCode::kPermission, "[station] user: only root can run as \"" + name +
                                                 "\"; start meshnetd as root or as that user, or leave user empty"};
    }
    return std::optional(User{entry->pw_uid, entry->pw_gid});
}

/// The first place that this process cannot reach with the capabilities it has now; null: none.
const SandboxNeeds::Place* out_of_reach(const std::vector<SandboxNeeds::Place>& places) {
    for (const auto& place : places) {
        std::error_code ignored;
        const bool folder = std::filesystem::is_directory(place.path, ignored);
        const int mode = (folder ? X_OK : R_OK) | (place.write ? W_OK : 0);
        if (::faccessat(AT_FDCWD, place.path.c_str(), mode, AT_EACCESS) != 0 && errno == EACCES) {
            return &place;
        }
    }
    return nullptr;
}

void put(unsigned capability, bool keep) {
    if (keep) {
        capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
    }
}

/// Capabilities of this thread, which is the only one, down to what is kept.
void drop_capabilities(const SandboxNeeds& needs, const std::optional<User>& user, Lines& lines, Status& status) {
    if (capng_get_caps_process() != 0) {
        lines.emplace_back("capabilities cannot be read here: they stay as they are");
        return;
    }
    const auto has = [](unsigned c) { return capng_have_capability(CAPNG_PERMITTED, c) != 0; };
    const bool net_admin = needs.net_admin && has(CAP_NET_ADMIN);
    const bool bounds = has(CAP_SETPCAP);
    const bool overrides = !user && ::geteuid() == 0 && has(CAP_DAC_OVERRIDE);

    capng_clear(CAPNG_SELECT_ALL);
    put(CAP_NET_ADMIN, net_admin);
    if (user) {
        const int done = capng_change_id(static_cast<int>(user->uid), static_cast<int>(user->gid),
                                         static_cast<capng_flags_t>(CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING));
        if (done != 0) {
            status = Error{ErrorCode::kPermission, "[station] user: the user cannot be changed to \"" + needs.user +
                                                       "\" here (step " + std::to_string(-done) +
                                                       "); CAP_SETUID and CAP_SETGID are needed for it"};
        }
        return;
    }
    if (overrides) {
        capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_DAC_OVERRIDE);  // and not effective: what can be reached so?
    }
    int done =
        capng_apply(bounds ? CAPNG_SELECT_ALL : static_cast<capng_select_t>(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT));
    if (overrides && done == 0) {
        if (const auto* place = out_of_reach(needs.places)) {
            put(CAP_DAC_OVERRIDE, true);
            lines.push_back(place->path +
                            " belongs to another user: CAP_DAC_OVERRIDE is kept for it; set [station] "
                            "user to its owner, or give it to root");
        } else {
            capng_update(CAPNG_DROP, CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
        }
        done = capng_apply(CAPNG_SELECT_CAPS);
    }
    if (done != 0) {
        lines.push_back("capabilities cannot be dropped here (step " + std::to_string(-done) +
                        "): they stay as they are");
    }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

}  // namespace

Result<Lines> enter_sandbox(const SandboxNeeds& needs) {
    Lines lines;
    const auto user = find_user(needs.user);
    if (!user) {
        return user.error();
    }
    const rlimit none{0, 0};
    (void)::setrlimit(RLIMIT_CORE, &none);
    raise_limit(RLIMIT_MEMLOCK, kLockedBytes);
    if (needs.realtime) {
        raise_limit(RLIMIT_RTPRIO, 99);  // CAP_SYS_NICE goes
    }
    Status status = Ok{};
    drop_capabilities(needs, *user, lines, status);
    if (!status) {
        return status.error();
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        lines.push_back("new privileges cannot be ruled out here: " + host::reason(errno));
    }
    if (kSanitized) {  // their leak check traces the process
        lines.emplace_back("built with sanitizers: system calls are not filtered and memory can be read by others");
        return lines;
    }
    // After the user and the capabilities, whose changes set it anew.
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        lines.push_back("memory stays readable by programs of the same user: " + host::reason(errno));
    }
    if (auto filtered = restrict_system_calls(); !filtered) {
        lines.push_back("system calls are not filtered: no seccomp here (" + filtered.error().message + ")");
    }
    return lines;
}

}  // namespace meshnet::station
