// SPDX-License-Identifier: GPL-3.0-or-later
// meshnet-cli keys: a master key that lies in a safe, and devices that act for it.
#include <array>
#include <cstdio>
#include <ctime>
#include <optional>
#include <tuple>
#include <utility>

#include <sodium.h>
#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/control/control_client.hpp"
#include "net/master_key.hpp"
#include "station/key_file.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;
using station::read_secret_file;
using station::SystemRandom;
using station::write_secret_file;

struct KeyOptions {
    std::string file;    // what the command reads
    std::string out;     // what it writes
    std::string master;  // file of the master key
    std::string text;    // request, certificate or revocation; "-": from standard input
    std::string until;   // YYYY-MM-DD; empty: no end
    std::uint32_t serial = 0;
    ControlTarget target;
};

/// Text with secrets, wiped at the end.
struct Secret {
    std::string text;
    explicit Secret(std::string t) : text(std::move(t)) {}
    Secret(Secret&&) = default;
    Secret& operator=(Secret&&) = delete;
    ~Secret() { sodium_memzero(text.data(), text.size()); }
};

Result<Secret> read_secret(const std::string& path, const std::string& what) {
    auto text = read_secret_file(path, what);
    if (!text) {
        return text.error();
    }
    return Secret(std::move(text).value());
}

/// `text` itself, or the first line of standard input for "-".
std::string given(const std::string& text) {
    if (text != "-") {
        return text;
    }
    std::array<char, 4'096> line{};
    if (std::fgets(line.data(), static_cast<int>(line.size()), stdin) == nullptr) {
        return {};
    }
    return line.data();
}

std::string address_text(const net::NodeId& id) {
    return net::to_string(net::address_of(id));
}

std::string date_of(std::uint64_t expiry) {
    const auto seconds = static_cast<std::time_t>(expiry);
    std::tm utc{};
    std::array<char, 32> text{};
    if (::gmtime_r(&seconds, &utc) == nullptr || std::strftime(text.data(), text.size(), "%Y-%m-%d", &utc) == 0) {
        return "a day that this machine cannot name";
    }
    return text.data();
}

Result<std::uint64_t> end_of(const std::string& date) {
    if (date.empty()) {
        return std::uint64_t{0};
    }
    std::tm utc{};
    const char* end = ::strptime(date.c_str(), "%Y-%m-%d", &utc);
    const std::time_t at = end != nullptr && *end == '\0' ? ::timegm(&utc) : -1;
    if (at <= 0 || date_of(static_cast<std::uint64_t>(at)) != date) {
        return Error{ErrorCode::kInvalidArgument, "--until must be a day, as 2030-12-31, not \"" + date + "\""};
    }
    return static_cast<std::uint64_t>(at) + 86'400;
}

int make_master(const KeyOptions& o) {
    SystemRandom random;
    const net::MasterKey key = net::MasterKey::generate(random);
    const Secret text(key.to_text());
    if (auto written = write_secret_file(o.out, text.text, "master key"); !written) {
        return complain(written.error());
    }
    std::printf("%s\n", address_text(key.id()).c_str());
    return 0;
}

int make_device(const KeyOptions& o) {
    SystemRandom random;
    const net::DeviceKey key = net::DeviceKey::generate(random);
    const Secret text(key.to_text());
    if (auto written = write_secret_file(o.out, text.text, "device key"); !written) {
        return complain(written.error());
    }
    std::printf("%s\n", key.request().to_text().c_str());
    return 0;
}

Result<net::MasterKey> master_of(const KeyOptions& o) {
    const auto text = read_secret(o.master, "master key");
    if (!text) {
        return text.error();
    }
    auto key = net::MasterKey::from_text(text->text);
    if (!key) {
        return Error{key.error().code, "master key " + o.master + " is not usable: " + key.error().message};
    }
    return key;
}

int certify(const KeyOptions& o) {
    const auto until = end_of(o.until);
    if (!until) {
        return complain(until.error());
    }
    const auto request = net::DeviceRequest::from_text(given(o.text));
    if (!request) {
        return complain(request.error().message, 2);
    }
    const auto master = master_of(o);
    if (!master) {
        return complain(master.error());
    }
    const auto certificate = master->certify(*request, o.serial, *until);
    if (!certificate) {
        return complain(certificate.error());
    }
    std::printf("%s\n", net::to_text(*certificate).c_str());
    return 0;
}

int revoke(const KeyOptions& o) {
    const auto master = master_of(o);
    if (!master) {
        return complain(master.error());
    }
    const auto revocation = master->revoke(o.serial);
    if (!revocation) {
        return complain(revocation.error());
    }
    std::printf("%s\n", net::to_text(*revocation).c_str());
    return 0;
}

int install(const KeyOptions& o) {
    const auto certificate = net::certificate_from_text(given(o.text));
    if (!certificate) {
        return complain(certificate.error().message, 2);
    }
    const auto text = read_secret(o.file, "device key");
    if (!text) {
        return complain(text.error());
    }
    const auto device = net::DeviceKey::from_text(text->text);
    if (!device) {
        return complain("device key " + o.file + " is not usable: " + device.error().message, 1);
    }
    const auto identity = device->certified(*certificate);
    if (!identity) {
        return complain(identity.error());
    }
    const Secret key(identity->to_text());
    if (auto written = write_secret_file(o.out, key.text, "key file"); !written) {
        return complain(written.error());
    }
    std::printf("%s\n", net::to_string(identity->address()).c_str());
    return 0;
}

/// Takes the master key out of a station's key file: two new files, the old one stays.
int split(const KeyOptions& o) {
    const auto text = read_secret(o.file, "key file");
    if (!text) {
        return complain(text.error());
    }
    const auto identity = net::Identity::from_text(text->text);
    if (!identity) {
        return complain("key file " + o.file + " is not usable: " + identity.error().message, 1);
    }
    if (!identity->has_master()) {
        return complain("key file " + o.file + " holds no master key", 1);
    }
    const auto master = net::MasterKey::from_text(text->text);
    if (!master) {
        return complain(master.error());
    }
    const Secret master_text(master->to_text());
    const Secret device_text(identity->device_only().to_text());
    for (const auto& [path, secret, what] :
         {std::tuple{&o.master, &master_text, "master key"}, std::tuple{&o.out, &device_text, "key file"}}) {
        if (auto written = write_secret_file(*path, secret->text, what); !written) {
            return complain(written.error());
        }
    }
    std::printf("%s\n", net::to_string(identity->address()).c_str());
    return 0;
}

int publish(const KeyOptions& o) {
    const std::string text = given(o.text);
    if (const auto certificate = net::certificate_from_text(text); !certificate) {
        return complain(certificate.error().message, 2);
    }
    auto client = ControlClient::connect(o.target);
    if (!client) {
        return complain(client.error().message, 1);
    }
    const auto answer = client->ask(Json{{"cmd", "publish"}, {"certificate", text.substr(0, text.find('\n'))}}.dump());
    if (!answer) {
        return complain(answer.error().message, 1);
    }
    std::puts(answer->value("news", false) ? "taken; it goes to every station that is reached"
                                           : "nothing new to this station");
    return 0;
}

void print_certificate(const net::Certificate& c) {
    std::printf("%s of %s, serial %u%s\n", c.revokes() ? "revocation" : "certificate", address_text(c.id()).c_str(),
                c.serial, c.expiry == 0 ? "" : (", meant until " + date_of(c.expiry - 1)).c_str());
}

/// Says what a file or text is; never shows a secret.
int show(const KeyOptions& o) {
    if (const auto certificate = net::certificate_from_text(given(o.text))) {
        print_certificate(*certificate);
        return 0;
    }
    const auto text = read_secret(o.text, "key file");
    if (!text) {
        return complain(text.error());
    }
    if (const auto identity = net::Identity::from_text(text->text)) {
        std::printf("key file of station %s, %s\n", net::to_string(identity->address()).c_str(),
                    identity->has_master() ? "with its master key beside it" : "without the master key");
        return 0;
    }
    if (const auto master = net::MasterKey::from_text(text->text)) {
        std::printf("master key of %s\n", address_text(master->id()).c_str());
        return 0;
    }
    if (const auto device = net::DeviceKey::from_text(text->text)) {
        std::printf("device key that waits for its certificate; its request:\n%s\n",
                    device->request().to_text().c_str());
        return 0;
    }
    return complain(o.text + " is neither a key file, a master key, a device key nor a certificate", 1);
}

int with_random(int (*run)(const KeyOptions&), const KeyOptions& o) {
    if (auto ready = station::init_random(); !ready) {
        return complain(ready.error());
    }
    return run(o);
}

}  // namespace

void add_keys(CLI::App& app, int& exit_code) {
    auto* keys = app.add_subcommand("keys", "Master keys, devices, certificates and revocations");
    keys->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, int (*run)(const KeyOptions&),
                         CLI::App*& command) -> auto& {
        return add_command<KeyOptions>(*keys, exit_code, name, help, command,
                                       [run](const KeyOptions& o) { return with_random(run, o); });
    };
    CLI::App* command = nullptr;
    auto& master = add("master", "Make a master key; prints the address of its node", make_master, command);
    command->add_option("--out", master.out, "New file, to be kept apart from every station")->required();

    auto& device =
        add("device", "Make the key of a device; prints the request for its certificate", make_device, command);
    command->add_option("--out", device.out, "New file, on the station")->required();

    auto& cert = add("certify", "Certify a device with the master key; prints the certificate", certify, command);
    command->add_option("request", cert.text, "What `keys device` printed; - reads it")->required();
    command->add_option("--master", cert.master, "File of the master key")->required();
    command->add_option("--serial", cert.serial, "Higher than that of every device before: replaces them")->required();
    command->add_option("--until", cert.until, "Last day it is meant for, as 2030-12-31 (shown, not enforced)");

    auto& inst = add("install", "Make a station's key file of a device key and its certificate", install, command);
    command->add_option("certificate", inst.text, "What `keys certify` printed; - reads it")->required();
    command->add_option("--device", inst.file, "File that `keys device` made")->required();
    command->add_option("--out", inst.out, "New key file (key_file in the configuration)")->required();

    auto& apart = add("split", "Take the master key out of a station's key file, into two new files", split, command);
    command->add_option("key_file", apart.file, "Key file with a master key; it stays")->required();
    command->add_option("--master", apart.master, "New file for the master key")->required();
    command->add_option("--out", apart.out, "New key file for the station")->required();

    auto& rev = add("revoke", "Revoke devices with the master key; prints the revocation", revoke, command);
    command->add_option("--master", rev.master, "File of the master key")->required();
    command->add_option("--serial", rev.serial, "Of the newest device that is revoked; 4294967295: all for ever")
        ->required();

    auto& pub =
        add("publish", "Give a certificate or revocation to a running station, which spreads it", publish, command);
    command->add_option("certificate", pub.text, "What `keys certify` or `keys revoke` printed; - reads it")
        ->required();
    add_target(*command, pub.target);

    auto& what = add("show", "Say what a key file or certificate is; shows no secret", show, command);
    command->add_option("what", what.text, "File, or text of a certificate")->required();
}

}  // namespace meshnet::apps
