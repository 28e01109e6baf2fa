// SPDX-License-Identifier: MIT
#include "phy/demodulation/decode_workers.hpp"

#include <utility>

namespace meshnet::phy {

DecodeWorkers::DecodeWorkers(std::size_t threads, const Grid& grid) : grid_(grid), own_decoder_(grid) {
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}

DecodeWorkers::~DecodeWorkers() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    submitted_.notify_all();
    for (auto& thread : threads_) {
        thread.join();
    }
}

void DecodeWorkers::submit(Job job) {
    {
        const std::lock_guard lock(mutex_);
        ++job.pending->blocks;
        jobs_.push_back(std::move(job));
    }
    submitted_.notify_one();
}

ReceivedBlock DecodeWorkers::take_buffer() {
    const std::lock_guard lock(mutex_);
    if (buffers_.empty()) {
        return {};
    }
    ReceivedBlock buffer = std::move(buffers_.back());
    buffers_.pop_back();
    return buffer;
}

void DecodeWorkers::run(Job& job, RefiningDecoder& decoder, std::unique_lock<std::mutex>& lock) {
    lock.unlock();
    FrameBlock block = decoder.decode(job.received, job.out);
    block.offset = job.block->offset;
    *job.block = block;
    lock.lock();
    buffers_.push_back(std::move(job.received));
    if (--job.pending->blocks == 0) {
        done_.notify_one();
    }
}

void DecodeWorkers::wait(Pending& pending) {
    std::unique_lock lock(mutex_);
    while (pending.blocks > 0) {
        if (jobs_.empty()) {
            done_.wait(lock);
            continue;
        }
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        run(job, own_decoder_, lock);
    }
}

void DecodeWorkers::submit(Task& task) {
    {
        const std::lock_guard lock(mutex_);
        task_ = &task;
    }
    submitted_.notify_one();
}

void DecodeWorkers::forget(Task& task) {
    std::unique_lock lock(mutex_);
    if (task_ == &task) {
        task_ = nullptr;
    }
    done_.wait(lock, [this] { return tasks_running_ == 0; });
}

bool DecodeWorkers::help() {
    std::unique_lock lock(mutex_);
    if (jobs_.empty()) {
        return false;
    }
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    run(job, own_decoder_, lock);
    return true;
}

void DecodeWorkers::work() {
    RefiningDecoder decoder(grid_);
    std::unique_lock lock(mutex_);
    while (true) {
        submitted_.wait(lock, [this] { return stop_ || task_ != nullptr || !jobs_.empty(); });
        if (stop_) {
            return;
        }
        if (task_ != nullptr) {
            Task& task = *std::exchange(task_, nullptr);
            ++tasks_running_;
            lock.unlock();
            task.run();
            lock.lock();
            if (--tasks_running_ == 0) {
                done_.notify_all();
            }
            continue;
        }
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        run(job, decoder, lock);
    }
}

}  // namespace meshnet::phy
