#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_launch.h>
#include <rte_lcore.h>

#include "config/change.h"
#include "dataplane/driver.h"
#include "dataplane/log.h"
#include "dataplane/packet/reassembly.h"
#include "dataplane/placement.h"
#include "dataplane/refine.h"
#include "dataplane/reload.h"
#include "dataplane/takeover.h"
#include "dataplane/watch.h"

#define DEVICE_SHOWN 63
#define REFUSED_TURNS 100 /* between two tries at a map that had no room */

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct ledger *worker_ledger(const struct dataplane *d, uint32_t index)
{
	struct region *r = d->region.region;

	return (struct ledger *)((uint8_t *)r + r->ledgers_offset + index * r->ledger_stride);
}

/* Inputs and ports by name, for whoever reads the ledgers. Odd while half written. */
static uint32_t begin_description(struct region *r)
{
	uint32_t version = atomic_load_explicit(&r->description, memory_order_relaxed) | 1;

	atomic_store_explicit(&r->description, version, memory_order_release);
	return version;
}

/* Whole words, as the reader copies them: it may be looking at this very moment. */
static void write_inputs(struct region *r, const struct region_input *inputs, uint32_t count)
{
	_Atomic uint64_t *to = (_Atomic uint64_t *)r->inputs;
	uint64_t word;

	for (size_t i = 0; i < count * sizeof *inputs / sizeof word; i++) {
		memcpy(&word, (const uint8_t *)inputs + i * sizeof word, sizeof word);
		atomic_store_explicit(&to[i], word, memory_order_release); /* partner: copy_words() in penstockd */
	}
	r->inputs_count = count;
}

void dataplane_describe_inputs(struct dataplane *d, uint64_t hidden)
{
	struct region *r = d->region.region;
	struct region_input inputs[INPUTS_MAX];
	uint32_t version;

	memcpy(inputs, r->inputs, sizeof inputs);
	rows_describe(inputs, &d->rows, d->now, hidden);
	version = begin_description(r);
	write_inputs(r, inputs, d->rows.count);
	atomic_store_explicit(&r->description, version + 1, memory_order_release);
}

static void describe_ports(struct dataplane *d)
{
	struct region *r = d->region.region;
	uint32_t version = begin_description(r);

	r->ports_count = d->ports_count;
	for (uint32_t i = 0; i < d->ports_count; i++) {
		const struct port *p = &d->ports[i];

		snprintf(r->ports[i].name, sizeof r->ports[i].name, "%s", p->config->name);
		snprintf(r->ports[i].device, sizeof r->ports[i].device, "%.*s", DEVICE_SHOWN, p->config->device);
		snprintf(r->ports[i].driver, sizeof r->ports[i].driver, "%s", p->driver_name);
		r->ports[i].first_worker = p->first_worker;
		r->ports[i].queues = p->config->queues;
		r->ports[i].accountable = p->driver->accountable;
		r->ports[i].wire_counter = p->oracle.fd >= 0;
	}
	atomic_store_explicit(&r->description, version + 1, memory_order_release);
}

/* Rows that counted for another input in an earlier run begin at 0. */
static void clear_rows(struct ledger_writer *ledger, uint64_t fresh)
{
	for (uint32_t row = 0; row < INPUTS_MAX; row++)
		if (fresh >> row & 1)
			memset(ledger->now + input_word(row, 0), 0, sizeof(struct ledger_line));
	if (fresh)
		ledger_commit(ledger); /* everything is written at a first commit */
}

/* Memory for fragments. What a predecessor held went with it. */
static int make_reassembly(struct dataplane *d, struct worker *w, unsigned core)
{
	uint8_t secret[REASSEMBLY_SECRET_BYTES];
	void *memory;

	ledger_add(&w->ledger, FRAGMENTS_LOST, w->ledger.now[FRAGMENTS_WAITING]);
	ledger_set(&w->ledger, FRAGMENTS_WAITING, 0);
	w->dirty = true;
	if (w->tap || d->config->fragment_bytes == 0)
		return 0;
	if (getentropy(secret, sizeof secret) != 0)
		return -errno;
	memory = placement_allocate(d->config->fragment_bytes, core);
	if (!memory)
		return -ENOMEM;
	w->reassembly = reassembly_init(memory, d->config->fragment_bytes, d->config->fragment_seconds * 1000000000ull,
					secret);
	return 0;
}

static int make_worker(struct dataplane *d, const struct port *port, uint32_t queue)
{
	uint32_t index = port->first_worker + queue, lines = worker_lines(d->region.geometry.shards);
	unsigned core = port->config->cores[queue];
	struct worker *w;
	uint64_t *words;
	int error = placement_check(port->config, core, placement_node(core), port->node, d->config->numa_strict);

	if (error)
		return error;
	w = placement_allocate(sizeof *w + lines * sizeof(struct ledger_line), core);
	if (!w) {
		LOG_ERROR("no memory for the worker of port '%s' queue %u\n", port->config->name, queue);
		return -ENOMEM;
	}
	words = (uint64_t *)(w + 1);
	w->index = index;
	w->port = port;
	w->port_id = port->id;
	w->queue = (uint16_t)queue;
	w->burst = (uint16_t)d->config->burst;
	w->tap = port->config->tap;
	w->can_send = port->can_send;
	w->lcore = index + 1;
	w->node = placement_node(core);
	w->crashed_ns = queue == 0 && port->oracle.fd < 0 ? d->crashed_ns : 0;
	w->clock = &d->clock;
	w->process = burst_choose();
	key_random_init(&w->random, realtime_ns() ^ ((uint64_t)index << 56));
	ledger_writer_init(&w->ledger, worker_ledger(d, index), words, lines);
	clear_rows(&w->ledger, d->rows.fresh);
	atomic_store(&w->down.frames, w->ledger.now[WORKER_DOWN_TOLD]);
	atomic_store(&w->missed.frames, w->ledger.now[WORKER_MISSED_TOLD]);
	d->workers[index] = w;
	d->workers_count++;
	error = make_reassembly(d, w, core);
	if (error)
		LOG_ERROR("no memory for fragments on port '%s' queue %u: lower dpdk.fragment_bytes\n",
			  port->config->name, queue);
	return error;
}

/* Memory for what the plan asks of workers, before they get it. */
static int equip_workers(struct dataplane *d, const struct plan *plan)
{
	for (uint32_t i = 0; plan->refines && i < d->workers_count; i++) {
		struct worker *w = d->workers[i];

		if (!w->refiner)
			w->refiner = refiner_new(w->port->config->cores[w->queue]);
		if (!w->refiner) {
			LOG_ERROR("no memory for codecs and rules of worker %u\n", i);
			return -ENOMEM;
		}
	}
	return 0;
}

static int open_ports(struct dataplane *d)
{
	uint32_t first = 0;

	for (uint32_t p = 0; p < d->config->ports_count; p++) {
		uint64_t last_sign = atomic_load(&d->region.region->heartbeat_ns);
		bool renewed = strncmp(d->region.region->ports[p].device, d->config->ports[p].device, DEVICE_SHOWN) != 0;
		int error = port_open(&d->ports[p], d->config, p, first, &d->port_ledger, renewed);

		d->ports_count++;
		for (uint32_t q = 0; !error && q < d->config->ports[p].queues; q++)
			error = make_worker(d, &d->ports[p], q);
		if (error)
			return error;
		d->ports[p].down_since_ns = last_sign ? last_sign : realtime_ns();
		first += d->config->ports[p].queues;
	}
	return 0;
}

int dataplane_open(struct dataplane *d, const struct config *config, bool replace,
		   const volatile sig_atomic_t *stopping)
{
	struct region_geometry geometry = {config_workers(config), config->region_shards, config->lane_bytes};
	int error;

	memset(d, 0, sizeof *d);
	d->config = d->now = config;
	d->stopping = stopping;
	d->region.fd = -1;
	error = takeover_region(config->region_directory, &geometry, replace, &d->region);
	if (error)
		return error;
	ledger_writer_init(&d->port_ledger,
			   (struct ledger *)((uint8_t *)d->region.region + d->region.region->port_ledger_offset),
			   d->port_words, PORT_LINES);
	clock_start(&d->clock);
	if (atomic_load(&d->region.region->state) != REGION_STOPPED)
		d->crashed_ns = atomic_load(&d->region.region->heartbeat_ns);
	rows_assign(&d->rows, d->region.region->inputs, d->region.region->inputs_count, config);
	if (d->rows.fresh)
		dataplane_describe_inputs(d, d->rows.fresh);
	error = open_ports(d);
	d->rows.fresh = 0; /* every worker's are cleared */
	if (!error)
		error = dataplane_make_plan(d, config, &d->rows, &d->plan);
	if (error)
		return error;
	for (uint32_t i = 0; i < d->workers_count; i++)
		atomic_store(&d->workers[i]->next_plan, d->plan);
	dataplane_describe_inputs(d, 0);
	describe_ports(d);
	atomic_store(&d->region.region->config_hash, config_hash(config));
	atomic_store(&d->region.region->pid, (uint32_t)getpid());
	atomic_store(&d->region.region->started_ns, realtime_ns());
	atomic_store(&d->region.region->state, REGION_STARTING);
	return 0;
}

int dataplane_start(struct dataplane *d)
{
	for (uint32_t p = 0; p < d->ports_count; p++) {
		struct port *port = &d->ports[p];
		uint64_t polled = 0;
		int error;

		for (uint32_t q = 0; q < port->config->queues; q++)
			polled += d->workers[port->first_worker + q]->ledger.now[WORKER_POLLED];
		error = port_start(port, &d->port_ledger, polled);
		if (error)
			return error;
	}
	for (uint32_t i = 0; i < d->workers_count; i++) {
		int error = rte_eal_remote_launch(worker_run, d->workers[i], d->workers[i]->lcore);

		if (error) {
			LOG_ERROR("cannot launch worker %u: %s\n", i, strerror(-error));
			return error;
		}
	}
	atomic_store(&d->region.region->state, REGION_RUNNING);
	return 0;
}

/* Populates the lanes of slots that the plan uses for the first time and binds every worker to them. */
static int bind_lanes(struct dataplane *d, const struct plan *plan)
{
	for (uint32_t slot = 0; slot < d->region.geometry.shards; slot++) {
		if (!plan_bit(plan->slots, slot) || plan_bit(d->bound, slot))
			continue;
		for (uint32_t i = 0; i < d->workers_count; i++) {
			struct worker *w = d->workers[i];
			struct worker_lane *l = &w->lanes[slot];
			int error = region_populate(&d->region, slot, i, w->node);

			if (error) {
				LOG_ERROR("no memory for lane (%u, %u) in %s: %s; make its file system larger, or lower "
					  "region.lane_bytes or the number of shards\n", slot, i,
					  d->config->region_directory, strerror(-error));
				return error;
			}
			lane_writer_init(&l->lane, d->region.lanes[slot * d->region.geometry.workers + i],
					 d->region.geometry.lane_bytes, slot, &w->ledger, &d->control->head[slot][i]);
		}
		d->bound[slot / 64] |= 1ull << slot % 64;
	}
	return 0;
}

static bool all_acknowledged(const struct dataplane *d, uint64_t serial)
{
	for (uint32_t i = 0; i < d->workers_count; i++)
		if (rte_eal_get_lcore_state(d->workers[i]->lcore) == RUNNING &&
		    atomic_load_explicit(&d->workers[i]->acknowledged, memory_order_acquire) != serial)
			return false;
	return true;
}

/* What a fresh plan needs beside itself. Gives it up when that fails. */
static int complete_plan(struct dataplane *d, struct refine_set *set, const struct config *config, const struct shard_map *map,
			 struct plan *plan)
{
	int error = refine_set_attach(set, plan, config, map, d->workers_count);

	for (uint32_t p = 0; p < d->ports_count; p++)
		if (!d->ports[p].config->tap) /* a tap keeps the frame, whatever is in it */
			match_leave_tunnels(&plan->matches[p], &d->ports[p].host);
	if (!error)
		error = equip_workers(d, plan);
	if (error)
		plan_free(plan);
	return error;
}

static void show_life(struct dataplane *d)
{
	atomic_store_explicit(&d->region.region->heartbeat_ns, realtime_ns(), memory_order_release);
	clock_adjust(&d->clock);
}

static void watch_ports(struct dataplane *d)
{
	for (uint32_t p = 0; p < d->ports_count; p++)
		if (d->ports[p].started)
			watch_port(&d->ports[p], d->workers + d->ports[p].first_worker, d->ports[p].config->queues,
				   &d->port_ledger);
}

/* What cannot wait for rules to be compiled. At a start there is no plan, and no life to show before all is ready. */
static bool tend_compiling(void *arg)
{
	struct dataplane *d = arg;

	if (d->plan) {
		show_life(d);
		watch_ports(d);
	}
	return !*d->stopping;
}

int dataplane_make_plan(struct dataplane *d, const struct config *config, const struct rows *rows, struct plan **out)
{
	const struct rule_wait wait = {tend_compiling, d};
	struct refine_set *set;
	struct plan *plan;
	int error = refine_set_compile(config, &wait, stderr, &set);

	if (error)
		return error;
	error = plan_create(config, rows, d->ports_count, &d->map, d->plan ? d->plan->version : 0, &plan);
	if (!error)
		error = complete_plan(d, set, config, &d->map, plan);
	refine_set_release(set); /* the plan has it */
	if (error)
		return error;
	plan->serial = ++d->serial;
	*out = plan;
	return 0;
}

void dataplane_adopt(struct dataplane *d, struct plan *plan)
{
	struct plan *old = d->plan;
	struct timespec pause = {0, 50000};

	for (uint32_t i = 0; i < d->workers_count; i++)
		atomic_store_explicit(&d->workers[i]->next_plan, plan, memory_order_release);
	while (!all_acknowledged(d, plan->serial))
		nanosleep(&pause, NULL);
	d->plan = plan;
	plan_free(old);
	atomic_store_explicit(&d->region.region->map_version, plan->version, memory_order_release);
}

/* A map that makes no sense, or has no room, changes nothing: capture goes on by the last one. */
static void follow_map(struct dataplane *d)
{
	struct plan *plan = NULL;
	uint64_t version;
	int error;

	if (!d->control) {
		error = takeover_control(d->config->region_directory, d->region.region, &d->control, &d->control_inode);
		if (error)
			return; /* penstockd is not there yet: asked again at the next turn */
	}
	version = atomic_load_explicit(&d->control->map_version, memory_order_acquire);
	if (version == d->plan->version || (version == d->refused_version && ++d->refused_turns % REFUSED_TURNS != 0))
		return;
	error = control_read_map(d->control, d->region.geometry.shards, &d->next_map, &version);
	if (error == -EBADMSG)
		LOG_ERROR("penstockd published a shard map that makes no sense; the last one stays in use\n");
	if (error)
		return;
	error = plan_create(d->now, &d->rows, d->ports_count, &d->next_map, version, &plan);
	if (!error)
		error = complete_plan(d, d->plan->set, d->now, &d->next_map, plan);
	if (!error) {
		error = bind_lanes(d, plan);
		if (error)
			plan_free(plan);
	}
	if (error) {
		if (d->refused_version != version)
			LOG_ERROR("shard map %lu cannot be taken up (%s); the last one stays in use\n", version,
				  strerror(-error));
		d->refused_version = version;
		return;
	}
	plan->serial = ++d->serial;
	d->map = d->next_map;
	dataplane_adopt(d, plan);
	LOG_INFO("shard map %lu in use\n", version);
}

bool dataplane_has_map(const struct dataplane *d)
{
	return d->plan->version != 0;
}

int dataplane_tend(struct dataplane *d)
{
	uint64_t inode;

	show_life(d);
	if (d->control && takeover_control_inode(d->config->region_directory, &inode) == 0 && inode != d->control_inode) {
		LOG_ERROR("the control region was replaced by another; starting anew\n");
		return -ESTALE;
	}
	watch_ports(d);
	follow_map(d);
	reload_follow(d);
	return 0;
}

void dataplane_stop(struct dataplane *d)
{
	struct timespec pause = {0, 20000000};

	atomic_store(&d->region.region->state, REGION_DRAINING);
	for (int turn = 0; turn < 5; turn++) { /* 100 ms: what the NIC holds is polled */
		nanosleep(&pause, NULL);
		dataplane_tend(d);
	}
	for (uint32_t i = 0; i < d->workers_count; i++)
		atomic_store(&d->workers[i]->stop, true);
	rte_eal_mp_wait_lcore();
	for (uint32_t p = 0; p < d->ports_count; p++)
		if (d->ports[p].started)
			watch_port_stopped(&d->ports[p], d->workers + d->ports[p].first_worker,
					   d->ports[p].config->queues, &d->port_ledger);
	atomic_store(&d->region.region->state, REGION_STOPPED);
}

void dataplane_close(struct dataplane *d)
{
	for (uint32_t p = 0; p < d->ports_count; p++)
		port_close(&d->ports[p]);
	for (uint32_t i = 0; i < d->workers_count; i++) {
		refiner_free(d->workers[i]->refiner);
		placement_free(d->workers[i]->reassembly, d->config->fragment_bytes);
		placement_free(d->workers[i], sizeof *d->workers[i] + d->workers[i]->ledger.lines * sizeof(struct ledger_line));
	}
	plan_free(d->plan);
	reload_forget(d);
	control_close(d->control);
	if (d->region.region)
		region_close_writer(&d->region);
}
