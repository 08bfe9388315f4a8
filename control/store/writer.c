#include "control/store/writer.h"

#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log.h"
#include "control/store/files.h"

#define RING_ENTRIES 512u
#define THREADS 4
#define BLOCK 4096u
#define SYNC_TAG 1u /* in the user data of the sync's completion; jobs are aligned */

struct writer {
	bool ring_used;
	struct io_uring ring;
	pthread_t threads[THREADS];
	int threads_count;
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct write_job *waiting, **waiting_end, *ended; /* under lock */
	bool news;                                        /* under lock: a job has been written */
	bool stop;
};

/* ---- io_uring ---- */

static void ring_submit(struct writer *w, struct write_job *job)
{
	struct io_uring_sqe *sqe;

	/* The pair must go in one submission, or the link between them breaks. */
	while (io_uring_sq_space_left(&w->ring) < 2)
		io_uring_submit(&w->ring);
	job->pending = 2;
	sqe = io_uring_get_sqe(&w->ring);
	io_uring_prep_write(sqe, job->fd, job->bytes + job->written, (unsigned)(job->length - job->written),
			    job->at + job->written);
	sqe->flags |= IOSQE_IO_LINK;
	io_uring_sqe_set_data(sqe, job);
	sqe = io_uring_get_sqe(&w->ring);
	io_uring_prep_fsync(sqe, job->fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)job | SYNC_TAG);
	io_uring_submit(&w->ring); /* what the kernel does not take now goes with the next wait */
}

/* True when the job has ended; a short write goes on where it stopped (rounded down to a block, for O_DIRECT). */
static bool ring_settle(struct writer *w, struct write_job *job)
{
	size_t written;

	if (job->write_result < 0) {
		job->result = job->write_result;
		return true;
	}
	written = job->written + (size_t)job->write_result;
	if (written >= job->length) {
		job->result = job->sync_result;
		return true;
	}
	written -= written % BLOCK;
	if (written == job->written) {
		job->result = -ENOSPC; /* no progress although no error was said: what a full disk does */
		return true;
	}
	job->written = written;
	ring_submit(w, job);
	return false;
}

static struct write_job *ring_wait(struct writer *w, uint64_t timeout_ns)
{
	struct __kernel_timespec timeout = {.tv_sec = (long long)(timeout_ns / 1000000000u),
					    .tv_nsec = (long long)(timeout_ns % 1000000000u)};
	struct write_job *ended = NULL, *job;
	struct io_uring_cqe *cqe;

	if (io_uring_submit_and_wait_timeout(&w->ring, &cqe, 1, &timeout, NULL) < 0 && io_uring_cq_ready(&w->ring) == 0)
		return NULL;
	while (io_uring_peek_cqe(&w->ring, &cqe) == 0) {
		uint64_t data = io_uring_cqe_get_data64(cqe);

		job = (struct write_job *)(uintptr_t)(data & ~(uint64_t)SYNC_TAG);
		*(data & SYNC_TAG ? &job->sync_result : &job->write_result) = cqe->res;
		if (!(data & SYNC_TAG) && cqe->res > 0 && job->written + (size_t)cqe->res == job->length)
			atomic_store_explicit(&job->wrote, true, memory_order_relaxed);
		io_uring_cqe_seen(&w->ring, cqe);
		if (--job->pending == 0 && ring_settle(w, job)) {
			job->next = ended;
			ended = job;
		}
	}
	return ended;
}

/* ---- threads ---- */

static int write_and_sync(struct writer *w, struct write_job *job)
{
	int error = files_write(job->fd, job->bytes, job->length, job->at);

	if (error)
		return error;
	pthread_mutex_lock(&w->lock);
	/* Release: the bytes are in the file before anyone writes behind them. Partner: commit.c, before the next
	 * write. */
	atomic_store_explicit(&job->wrote, true, memory_order_release);
	w->news = true;
	pthread_cond_signal(&w->done);
	pthread_mutex_unlock(&w->lock);
	return files.fdatasync(job->fd);
}

static void *thread_run(void *arg)
{
	struct writer *w = arg;
	struct write_job *job;

	pthread_mutex_lock(&w->lock);
	while (!w->stop || w->waiting) {
		job = w->waiting;
		if (!job) {
			pthread_cond_wait(&w->work, &w->lock);
			continue;
		}
		w->waiting = job->next;
		if (!w->waiting)
			w->waiting_end = &w->waiting;
		pthread_mutex_unlock(&w->lock);
		job->result = write_and_sync(w, job);
		pthread_mutex_lock(&w->lock);
		job->next = w->ended;
		w->ended = job;
		pthread_cond_signal(&w->done);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static struct write_job *threads_wait(struct writer *w, uint64_t timeout_ns)
{
	uint64_t until = files_monotonic_ns() + timeout_ns;
	struct timespec deadline = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
	struct write_job *ended;

	pthread_mutex_lock(&w->lock);
	while (!w->ended && !w->news && pthread_cond_timedwait(&w->done, &w->lock, &deadline) == 0)
		;
	ended = w->ended;
	w->ended = NULL;
	w->news = false;
	pthread_mutex_unlock(&w->lock);
	return ended;
}

static int threads_start(struct writer *w)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&w->done, &attributes);
	pthread_condattr_destroy(&attributes);
	w->waiting_end = &w->waiting;
	while (w->threads_count < THREADS) {
		int error = pthread_create(&w->threads[w->threads_count], NULL, thread_run, w);

		if (error) /* fewer threads write more slowly, none cannot */
			return w->threads_count ? 0 : -error;
		w->threads_count++;
	}
	return 0;
}

/* ---- both ---- */

int writer_open(struct writer **out)
{
	struct writer *w = calloc(1, sizeof *w);
	int error;

	if (!w)
		return -ENOMEM;
	error = files.ring_init(RING_ENTRIES, &w->ring);
	w->ring_used = error == 0;
	if (error) {
		log_info("store: no io_uring here (%s): batches are written by %d threads", strerror(-error), THREADS);
		error = threads_start(w);
	}
	if (error) {
		free(w);
		return error;
	}
	*out = w;
	return 0;
}

bool writer_has_ring(const struct writer *w)
{
	return w->ring_used;
}

void writer_submit(struct writer *w, struct write_job *job)
{
	job->written = 0;
	atomic_store_explicit(&job->wrote, false, memory_order_relaxed);
	job->next = NULL;
	if (w->ring_used) {
		ring_submit(w, job);
		return;
	}
	pthread_mutex_lock(&w->lock);
	*w->waiting_end = job;
	w->waiting_end = &job->next;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

struct write_job *writer_wait(struct writer *w, uint64_t timeout_ns)
{
	return w->ring_used ? ring_wait(w, timeout_ns) : threads_wait(w, timeout_ns);
}

void writer_close(struct writer *w)
{
	if (w->ring_used) {
		io_uring_queue_exit(&w->ring);
	} else {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_broadcast(&w->work);
		pthread_mutex_unlock(&w->lock);
		for (int i = 0; i < w->threads_count; i++)
			pthread_join(w->threads[i], NULL);
		pthread_cond_destroy(&w->work);
		pthread_cond_destroy(&w->done);
		pthread_mutex_destroy(&w->lock);
	}
	free(w);
}
