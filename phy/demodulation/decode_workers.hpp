// SPDX-License-Identifier: MIT
// Threads that decode code blocks, and search for preambles, while the receiver's own thread goes on with the samples.
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

#include "phy/demodulation/refining_decoder.hpp"
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
        ReceivedBlock received;
        std::span<std::uint8_t> out;  ///< where the bytes go
        FrameBlock* block = nullptr;  ///< where the result goes; its offset stays
        Pending* pending = nullptr;
    };

    /// Other work, done before any block: detections are waited for at every step, blocks only at a frame's end.
    class Task {
    public:
        virtual ~Task() = default;
        virtual void run() = 0;
    };

    /// `threads`: at least 1. `grid` must outlive it.
    DecodeWorkers(std::size_t threads, const Grid& grid);
    ~DecodeWorkers();
    DecodeWorkers(const DecodeWorkers&) = delete;
    DecodeWorkers& operator=(const DecodeWorkers&) = delete;

    /// Hands over one block. Everything that `job` points to must live until wait() has returned.
    void submit(Job job);
    /// Has `task` run by the next thread that is free. One task at a time: a second call before that changes nothing.
    void submit(Task& task);
    /// Returns when `task` is neither waiting nor running.
    void forget(Task& task);
    /// Decodes one block, if one waits; else false.
    bool help();
    /// Returns when no block of `pending` is left. Decodes itself meanwhile.
    void wait(Pending& pending);
    /// Memory for a block, of one that was decoded before if there is one.
    [[nodiscard]] ReceivedBlock take_buffer();

private:
    void work();
    void run(Job& job, RefiningDecoder& decoder, std::unique_lock<std::mutex>& lock);

    const Grid& grid_;
    std::mutex mutex_;
    std::condition_variable submitted_;
    std::condition_variable done_;
    std::deque<Job> jobs_;
    std::vector<ReceivedBlock> buffers_;
    Task* task_ = nullptr;  // waits for a thread
    std::size_t tasks_running_ = 0;
    bool stop_ = false;
    RefiningDecoder own_decoder_;  // of the receiver's thread
    std::vector<std::thread> threads_;
};

}  // namespace meshnet::phy
