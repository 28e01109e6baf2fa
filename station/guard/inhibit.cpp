// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/guard/inhibit.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "host/file.hpp"
#include "host/text.hpp"

namespace meshnet::station {

namespace {

class FileInhibit final : public Inhibit {
public:
    explicit FileInhibit(std::string path) : path_(std::move(path)) {}
    std::string reason() const override {
        struct stat status {};
        if (::lstat(path_.c_str(), &status) == 0) {
            return "the file " + path_ + " exists";
        }
        return errno == ENOENT ? "" : "it cannot be seen whether " + path_ + " exists: " + host::reason(errno);
    }

private:
    std::string path_;
};

class GpioInhibit final : public Inhibit {
public:
    explicit GpioInhibit(std::string path) : path_(std::move(path)) {}
    std::string reason() const override {
        const auto text = host::read_file(path_, 64);
        if (!text) {
            return text.error().message;
        }
        return text->starts_with('0') ? "" : path_ + " does not read 0";
    }

private:
    std::string path_;
};

class CallbackInhibit final : public Inhibit {
public:
    explicit CallbackInhibit(std::function<bool()> forbidden) : forbidden_(std::move(forbidden)) {}
    std::string reason() const override { return forbidden_() ? "a switch is on" : ""; }

private:
    std::function<bool()> forbidden_;
};

}  // namespace

std::unique_ptr<Inhibit> inhibit_while_file_exists(const std::string& path) {
    return std::make_unique<FileInhibit>(path);
}

std::unique_ptr<Inhibit> inhibit_by_gpio_file(const std::string& path) {
    return std::make_unique<GpioInhibit>(path);
}

std::unique_ptr<Inhibit> inhibit_while(std::function<bool()> forbidden) {
    return std::make_unique<CallbackInhibit>(std::move(forbidden));
}

}  // namespace meshnet::station
