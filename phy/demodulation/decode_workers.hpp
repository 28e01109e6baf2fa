// SPDX-License-Identifier: MIT
// Threads that decode code blocks while the receiver's own thread goes on with the samples.
//
//     PayloadReceiver: block complete -> submit() -> a worker, or the receiver's thread itself in wait() -> FrameBlock
//
// A frame waits for its blocks when its last sample is in, so frames come out as they do without workers.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "phy/demodulation/block_decoder.hpp"
#include "phy/frame.hpp"

namespace meshnet::phy {

/// Called by one thread. Allocates as its queue grows.
class DecodeWorkers {
public:
    /// Blocks of one frame that are not decoded yet. Belongs to the caller; guarded by the workers.
    struct Pending {
        std::size_t blocks = 0;
    };
    struct Job {
        std::vector<float> llr;  ///< [at least bits], in coded order
        std::size_t bits = 0;
        unsigned redundancy_version = 0;
        unsigned max_iterations = 0;
        std::span<std::uint8_t> out;  ///< where the bytes go
        FrameBlock* block = nullptr;  ///< where the result goes; its offset stays
        Pending* pending = nullptr;
    };

    /// `threads`: at least 1.
    explicit DecodeWorkers(std::size_t threads);
    ~DecodeWorkers();
    DecodeWorkers(const DecodeWorkers&) = delete;
    DecodeWorkers& operator=(const DecodeWorkers&) = delete;

    /// Hands over one block. Everything that `job` points to must live until wait() has returned.
    void submit(Job job);
    /// Returns when no block of `pending` is left. Decodes itself meanwhile.
    void wait(Pending& pending);
    /// A buffer for LLRs, one that was used before if there is one.
    [[nodiscard]] std::vector<float> take_buffer();

private:
    void work();
    void run(Job& job, BlockDecoder& decoder, std::unique_lock<std::mutex>& lock);

    std::mutex mutex_;
    std::condition_variable submitted_;
    std::condition_variable done_;
    std::deque<Job> jobs_;
    std::vector<std::vector<float>> buffers_;
    bool stop_ = false;
    BlockDecoder own_decoder_;  // of the receiver's thread
    std::vector<std::thread> threads_;
};

}  // namespace meshnet::phy
