// SPDX-License-Identifier: MIT
// Runs a fuzz harness over files and folders without libFuzzer, so every compiler and every sanitizer build replays the
// committed corpus. Besides each file it runs the empty input and, from each file, 64 deterministic mutations.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "core/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
    std::size_t inputs = 0;
    std::size_t executions = 0;
    const auto run = [&](const std::vector<std::uint8_t>& bytes) {
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
        ++executions;
    };
    const auto run_file = [&](const std::filesystem::path& path) {
        std::ifstream file(path, std::ios::binary);
        std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
        ++inputs;
        run(bytes);
        meshnet::Rng rng(inputs);
        for (int i = 0; i < 64; ++i) {
            auto copy = bytes;
            const std::uint64_t edits = 1 + rng.below(4);
            for (std::uint64_t e = 0; e < edits && !copy.empty(); ++e) {
                const std::size_t at = rng.below(copy.size());
                switch (rng.below(4)) {
                    case 0:
                        copy[at] ^= static_cast<std::uint8_t>(1U << rng.below(8));
                        break;
                    case 1:
                        copy[at] = static_cast<std::uint8_t>(rng.next_u64());
                        break;
                    case 2:
                        copy.resize(at);
                        break;
                    default:
                        copy.insert(copy.begin() + static_cast<std::ptrdiff_t>(at), copy[at]);
                        break;
                }
            }
            run(copy);
        }
    };
    run({});
    for (int i = 1; i < argc; ++i) {
        if (std::filesystem::is_directory(argv[i])) {
            for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
                run_file(entry.path());
            }
        } else if (std::filesystem::exists(argv[i])) {
            run_file(argv[i]);
        } else {
            std::fprintf(stderr, "%s: no such file or folder\n", argv[i]);
            return 2;
        }
    }
    std::printf("%zu inputs, %zu executions\n", inputs, executions);
    return inputs == 0 ? 1 : 0;
}
