// SPDX-License-Identifier: GPL-3.0-or-later
// Switches of the operator that stop all sending: any one of them is enough.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace meshnet::station {

/// One switch. Asked before each burst.
class Inhibit {
public:
    Inhibit() = default;
    Inhibit(const Inhibit&) = delete;
    Inhibit& operator=(const Inhibit&) = delete;
    virtual ~Inhibit() = default;
    /// Empty: sending is allowed. Else one clause that says what forbids it. What cannot be read forbids.
    [[nodiscard]] virtual std::string reason() const = 0;
};

/// Forbids while `path` exists.
[[nodiscard]] std::unique_ptr<Inhibit> inhibit_while_file_exists(const std::string& path);
/// Allows while the first character of the file is '0', as of the value of a GPIO line in sysfs.
[[nodiscard]] std::unique_ptr<Inhibit> inhibit_by_gpio_file(const std::string& path);
/// Forbids while `forbidden` gives true.
[[nodiscard]] std::unique_ptr<Inhibit> inhibit_while(std::function<bool()> forbidden);

}  // namespace meshnet::station
