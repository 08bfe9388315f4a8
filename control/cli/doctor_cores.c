// doctor: what disturbs the cores that workers run on.
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/doctor.h"

#define CPU_TEXT 512
#define WAKE_LATE_US 20

static void check_isolated(struct doctor *d, const cpu_set_t *workers)
{
	static const char why[] = "whatever the kernel schedules or times on a worker's core stops it for longer than its ring of "
				  "descriptors lasts";
	char isolated_text[CPU_TEXT], nohz_text[CPU_TEXT], cores[CPU_TEXT], bare[CPU_TEXT];
	cpu_set_t isolated, nohz, missing;

	doctor_read(d, isolated_text, sizeof(isolated_text), "/sys/devices/system/cpu/isolated");
	doctor_read(d, nohz_text, sizeof(nohz_text), "/sys/devices/system/cpu/nohz_full");
	if (!doctor_parse_cpus(isolated_text, &isolated))
		CPU_ZERO(&isolated);
	if (!doctor_parse_cpus(nohz_text, &nohz)) /* "(null)" where it is off */
		CPU_ZERO(&nohz);
	doctor_print_cpus(workers, cores, sizeof(cores));
	CPU_ZERO(&missing);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, workers) && (!CPU_ISSET(cpu, &isolated) || !CPU_ISSET(cpu, &nohz)))
			CPU_SET(cpu, &missing);
	}
	doctor_print_cpus(&missing, bare, sizeof(bare));
	if (CPU_COUNT(&missing))
		doctor_add(d, VERDICT_WARN, "isolation", why,
			   doctor_fix("kernel command line: isolcpus=managed_irq,domain,%s nohz_full=%s rcu_nocbs=%s", cores, cores,
				      cores),
			   "workers on cores %s, of which %s lack isolcpus or nohz_full", cores, bare);
	else
		doctor_add(d, VERDICT_OK, "isolation", why, NULL, "workers on cores %s, all isolated", cores);
}

static void check_governor(struct doctor *d, const cpu_set_t *cores)
{
	static const char why[] = "a core that changes its frequency serves its queue late while it does";
	char line[64], last[64] = "", slow[CPU_TEXT];
	cpu_set_t other;
	bool any = false;

	CPU_ZERO(&other);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, cores) ||
		    !doctor_read(d, line, sizeof(line), "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", cpu))
			continue;
		any = true;
		if (strcmp(line, "performance")) {
			CPU_SET(cpu, &other);
			snprintf(last, sizeof(last), "%s", line);
		}
	}
	doctor_print_cpus(&other, slow, sizeof(slow));
	if (!any)
		doctor_add(d, VERDICT_OK, "governor", why, NULL, "frequencies are not this kernel's to choose (a virtual machine?)");
	else if (CPU_COUNT(&other))
		doctor_add(d, VERDICT_WARN, "governor", why, doctor_fix("cpupower -c %s frequency-set -g performance", slow),
			   "%s on cores %s", last, slow);
	else
		doctor_add(d, VERDICT_OK, "governor", why, NULL, "performance");
}

static void check_idle(struct doctor *d, const cpu_set_t *cores)
{
	static const char why[] = "a worker that polls never sleeps, but what else serves packets (the drain, a driver's interrupts) "
				  "wakes that late";
	long long worst = 0;
	char name[64] = "", line[64];
	bool any = false;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		for (int state = 0; CPU_ISSET(cpu, cores) && state < 16; state++) {
			const char *base = "/sys/devices/system/cpu/cpu%d/cpuidle/state%d/%s";
			char path[128];
			long long latency;

			snprintf(path, sizeof(path), base, cpu, state, "latency");
			latency = doctor_read_number(d, -1, "%s", path);
			if (latency < 0)
				break;
			any = true;
			snprintf(path, sizeof(path), base, cpu, state, "disable");
			if (doctor_read_number(d, 0, "%s", path) || latency <= worst)
				continue;
			worst = latency;
			snprintf(path, sizeof(path), base, cpu, state, "name");
			if (doctor_read(d, line, sizeof(line), "%s", path))
				snprintf(name, sizeof(name), "%s", line);
		}
	}
	if (!any)
		doctor_add(d, VERDICT_OK, "idle_states", why, NULL, "none under this kernel's control");
	else if (worst > WAKE_LATE_US)
		doctor_add(d, VERDICT_WARN, "idle_states", why, doctor_fix("cpupower idle-set -D %d", WAKE_LATE_US),
			   "%s takes %lld us to wake from", name, worst);
	else
		doctor_add(d, VERDICT_OK, "idle_states", why, NULL, "the deepest takes %lld us to wake from", worst);
}

static void check_siblings(struct doctor *d, const cpu_set_t *workers)
{
	static const char why[] = "two threads of one core share its execution units and caches: each worker gets little more than half";
	char line[CPU_TEXT], shared[CPU_TEXT];
	cpu_set_t siblings, both;
	bool with_workers = false;

	CPU_ZERO(&both);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, workers) ||
		    !doctor_read(d, line, sizeof(line), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu) ||
		    !doctor_parse_cpus(line, &siblings) || CPU_COUNT(&siblings) < 2)
			continue;
		CPU_SET(cpu, &both);
		CPU_AND(&siblings, &siblings, workers);
		with_workers |= CPU_COUNT(&siblings) > 1;
	}
	doctor_print_cpus(&both, shared, sizeof(shared));
	if (with_workers)
		doctor_add(d, VERDICT_WARN, "smt", why, "give every worker a core of its own in ports: {cores: [...]}, or "
			   "echo off > /sys/devices/system/cpu/smt/control", "workers share cores with each other (%s)", shared);
	else if (CPU_COUNT(&both))
		doctor_add(d, VERDICT_WARN, "smt", why, "leave the sibling threads idle (isolcpus them, too), or "
			   "echo off > /sys/devices/system/cpu/smt/control", "cores %s have a sibling thread that others may use", shared);
	else
		doctor_add(d, VERDICT_OK, "smt", why, NULL, "no worker shares a core");
}

static void check_clock(struct doctor *d)
{
	static const char why[] = "arrival times are read once per burst; other clocks than the TSC cost a system call or drift";
	char line[64];

	if (!doctor_read(d, line, sizeof(line), "/sys/devices/system/clocksource/clocksource0/current_clocksource"))
		return;
	if (!strcmp(line, "tsc") || !strcmp(line, "kvm-clock") || !strcmp(line, "hyperv_clocksource_tsc_page"))
		doctor_add(d, VERDICT_OK, "clocksource", why, NULL, "%s, read without a system call", line);
	else
		doctor_add(d, VERDICT_WARN, "clocksource", why,
			   "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource (tsc=reliable on the kernel "
			   "command line when it refuses)", "%s", line);
}

static void check_irqbalance(struct doctor *d, const cpu_set_t *workers, bool known)
{
	static const char why[] = "it moves interrupts to cores that look idle or busy to it, workers' cores among them";
	char path[PATH_MAX], line[64], cores[CPU_TEXT];
	bool found = false;
	struct dirent *entry;
	DIR *proc;

	snprintf(path, sizeof(path), "%s/proc", d->root);
	proc = opendir(path);
	while (proc && !found && (entry = readdir(proc))) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    doctor_read(d, line, sizeof(line), "/proc/%s/comm", entry->d_name))
			found = !strcmp(line, "irqbalance");
	}
	if (proc)
		closedir(proc);
	doctor_print_cpus(workers, cores, sizeof(cores));
	if (found)
		doctor_add(d, VERDICT_WARN, "irqbalance", why,
			   known ? doctor_fix("systemctl disable --now irqbalance, or IRQBALANCE_BANNED_CPULIST=%s in "
					      "/etc/default/irqbalance", cores) : "systemctl disable --now irqbalance",
			   "runs");
	else
		doctor_add(d, VERDICT_OK, "irqbalance", why, NULL, "does not run");
}

void doctor_check_cores(struct doctor *d)
{
	cpu_set_t workers, all;
	char line[CPU_TEXT];
	bool known = doctor_worker_cores(d, &workers);

	if (known) {
		check_isolated(d, &workers);
		check_siblings(d, &workers);
	}
	/* Without a configuration any core may become a worker's. */
	if (!doctor_read(d, line, sizeof(line), "/sys/devices/system/cpu/online") || !doctor_parse_cpus(line, &all))
		CPU_ZERO(&all);
	check_governor(d, known ? &workers : &all);
	check_idle(d, &all);
	check_clock(d);
	check_irqbalance(d, &workers, known);
}
