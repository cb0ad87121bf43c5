// SPDX-License-Identifier: MIT
/*
 * Owns the workers: which one serves, which one is next, and when. Called by main.c,
 * on the supervisor's one thread. What a worker deposits is in s->kept, and goes on
 * to the service manager (fdstore.c); nothing here looks into it.
 *
 * The service manager is told READY by the first worker, STOPPING at the end, and nothing
 * in between: a worker's death is a pause. Nobody asks it to watch: the unit has no WatchdogSec.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "host/utmemd/fdpass.h"
#include "host/utmemd/dir_lock.h"
#include "host/utmemd/fdstore.h"
#include "host/utmemd/kept.h"
#include "host/utmemd/log.h"
#include "host/utmemd/loop.h"
#include "host/utmemd/options.h"
#include "host/utmemd/spawn.h"
#include "host/utmemd/supervisor.h"

/*
 * A worker that served for FINE_MS is followed at once. Others are followed after a pause that
 * doubles, so that a worker that cannot live does not eat a CPU; it never grows beyond what a
 * guest takes for a pause.
 */
#define FINE_MS 100u
#define BACKOFF_FIRST_MS 10u
#define BACKOFF_MAX_MS 1000u
/* A new binary that has not said hello by then does not get a chance. */
#define UPGRADE_HELLO_MS 10000u
/* One that dies while it ends is followed by another, which may get further. */
#define STOP_DEATHS_MAX 3u
#define KEPT_FDS_MAX \
	(1u << 20) /* more than a process may have, unless somebody raised that limit */

#define NO_FD (-1)
#define MS 1000000ull

struct worker {
	struct source link; /* fd NO_FD: there is none */
	struct supervisor *supervisor;
	pid_t pid;	   /* 0: there is none */
	uint64_t ready_ns; /* 0: not yet */
	bool greeted;	   /* it said hello, in our version */
	bool stopping;	   /* it was told to end */
	bool leaving;	   /* it was told to make room */
};

struct supervisor {
	struct spawn spawn;
	struct loop loop;
	struct source signals;
	struct kept kept;
	struct worker slots[2];
	struct worker *worker; /* what is kept is for this one */
	struct worker *next;   /* of an upgrade, until its turn comes */
	int exe_fd;	       /* the binary that served last, O_PATH */
	int new_exe_fd;	       /* the one on trial, NO_FD = none */
	char exe_path[PATH_MAX];
	struct keeper_life life;
	uint32_t backoff_ms;
	uint64_t start_ns;	  /* when to start the next worker, 0 = not */
	uint64_t next_until_ns;	  /* when s->next must have said hello */
	char why[KEEPER_WHY_MAX]; /* an upgrade failed, when it was the supervisor that ended it */
	bool served;		  /* a worker was ready, and the service manager knows */
	uint32_t nr_stop_deaths;
	bool ending, ended;
	int status; /* exit code */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* ---- what a worker says ---- */

static void worker_ready(struct source *src, uint32_t events);

static int worker_start(struct supervisor *s, struct worker *w, int exe_fd)
{
	int link = NO_FD;
	pid_t pid = spawn_worker(&s->spawn, exe_fd, &link);

	/* Meant for the first one alone, so that the second lives. */
	unsetenv("UTMEM_FAIL_POINT");
	*w = (struct worker){.link = {.fd = NO_FD, .ready = worker_ready}, .supervisor = s};
	if (pid < 0)
		return pid;
	w->pid = pid;
	w->link.fd = link;
	s->life.nr_starts++;
	if (loop_add(&s->loop, &w->link, EPOLLIN))
		kill(pid, SIGKILL);
	return 0;
}

static void link_close(struct worker *w)
{
	if (w->link.fd == NO_FD)
		return;
	loop_remove(&w->supervisor->loop, &w->link);
	close(w->link.fd);
	w->link.fd = NO_FD;
}

static int give_kept(struct supervisor *s, int link)
{
	struct keeper_msg m = {.type = KEEPER_KEPT};
	struct kept_item *item;
	int err = 0;

	TAILQ_FOREACH(item, &s->kept.items, link)
	{
		memcpy(m.key, item->key, sizeof(m.key));
		memcpy(m.meta, item->meta, sizeof(m.meta));
		m.meta_len = item->meta_len;
		err = keeper_send(link, &m, item->fds, item->nr_fds);
		if (err)
			break;
	}
	return err;
}

static int worker_stop(struct worker *w)
{
	int err = keeper_say(w->link.fd, KEEPER_STOP);

	w->stopping = !err;
	return err;
}

/* It is this one's turn: everything that is kept, then how it came to that. */
static void worker_begin(struct supervisor *s, struct worker *w)
{
	struct keeper_msg m = {.type = KEEPER_START};
	int err = give_kept(s, w->link.fd);

	m.life = s->life;
	if (!err)
		err = keeper_send(w->link.fd, &m, NULL, 0);
	if (!err && s->ending)
		err = worker_stop(w);
	if (!err)
		return;
	log_error("worker %d: does not take what is kept: %s", (int)w->pid, strerror(-err));
	kill(w->pid, SIGKILL);
}

static void upgrade_refuse(struct supervisor *s, const char *why)
{
	struct keeper_msg m = {.type = KEEPER_REFUSED};

	log_warn("upgrade: %s", why);
	snprintf(m.why, sizeof(m.why), "%s", why);
	if (s->worker->link.fd != NO_FD)
		keeper_send(s->worker->link.fd, &m, NULL, 0);
}

/* It can start, that much is known now. The one that serves makes room for it. */
static void next_greeted(struct supervisor *s)
{
	if (keeper_say(s->worker->link.fd, KEEPER_LEAVE))
		return; /* that one has died: the turn comes with its end */
	s->worker->leaving = true;
	log_info("upgrade: worker %d makes room for worker %d", (int)s->worker->pid,
		 (int)s->next->pid);
}

static void trial_kill(struct supervisor *s, const struct worker *w, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	kill(w->pid, SIGKILL);
}

static void hello(struct supervisor *s, struct worker *w, uint32_t version)
{
	char why[KEEPER_WHY_MAX];

	if (version != KEEPER_VERSION) {
		snprintf(
			why, sizeof(why),
			"the new binary keeps things by version %u, this supervisor by %u: restart "
			"the daemon",
			version, KEEPER_VERSION);
		trial_kill(s, w, why);
		return;
	}
	w->greeted = true;
	if (w == s->worker)
		worker_begin(s, w);
	else
		next_greeted(s);
}

static void keep(struct supervisor *s, const struct keeper_msg *m, const int *fds, uint32_t nr_fds)
{
	struct kept_item *item = kept_find(&s->kept, m->key);
	bool store = s->served || (item && item->stored);
	int err;

	if (item)
		fdstore_remove(item);
	err = kept_put(&s->kept, m, fds, nr_fds);
	if (err)
		log_error("%s is not kept: %s", m->key, strerror(-err));
	item = kept_find(&s->kept, m->key);
	if (item && store)
		fdstore_add(item);
}

static void drop(struct supervisor *s, const char *key)
{
	struct kept_item *item = kept_find(&s->kept, key);

	if (!item)
		return;
	fdstore_remove(item);
	kept_drop(&s->kept, item);
}

/* The service manager hears READY first, and then of what came before. */
static void first_ready(struct supervisor *s)
{
	struct kept_item *item;

	sd_notify(0, "READY=1");
	s->served = true;
	TAILQ_FOREACH(item, &s->kept.items, link)
	{
		fdstore_add(item);
	}
}

/* Who is ready has proved that its binary can be. */
static void ready(struct supervisor *s, struct worker *w)
{
	w->ready_ns = now_ns();
	s->life.upgrade = UPGRADE_NONE;
	if (s->new_exe_fd != NO_FD) {
		log_info("upgrade: worker %d is ready", (int)w->pid);
		close(s->exe_fd);
		s->exe_fd = s->new_exe_fd;
		s->new_exe_fd = NO_FD;
	}
	if (!s->served)
		first_ready(s);
}

static void trial_close(struct supervisor *s)
{
	close(s->new_exe_fd);
	s->new_exe_fd = NO_FD;
}

static void next_start(struct supervisor *s)
{
	int err;

	s->next = &s->slots[s->worker == &s->slots[0]];
	s->next_until_ns = now_ns() + UPGRADE_HELLO_MS * MS;
	s->why[0] = '\0';
	err = worker_start(s, s->next, s->new_exe_fd);
	if (!err)
		return;
	s->next = NULL;
	trial_close(s);
	upgrade_refuse(s, strerror(-err));
}

static void upgrade(struct supervisor *s)
{
	char why[KEEPER_WHY_MAX];

	if (s->next || s->new_exe_fd != NO_FD || s->ending) {
		upgrade_refuse(s, s->ending ? "the daemon ends" : "another one is under way");
		return;
	}
	s->new_exe_fd = open(s->exe_path, O_PATH | O_CLOEXEC);
	if (s->new_exe_fd < 0) {
		snprintf(why, sizeof(why), "%.200s: %s", s->exe_path, strerror(errno));
		s->new_exe_fd = NO_FD;
		upgrade_refuse(s, why);
		return;
	}
	next_start(s);
}

/* Only who has its turn may change what is kept. */
static int hear(struct supervisor *s, struct worker *w, const struct keeper_msg *m, int *fds,
		uint32_t nr_fds)
{
	if (m->type == KEEPER_KEEP && w == s->worker) {
		keep(s, m, fds, nr_fds);
		return 0;
	}
	fdpass_close(fds, nr_fds);
	if (m->type == KEEPER_HELLO && !w->greeted)
		hello(s, w, m->version);
	else if (w != s->worker)
		return -EPROTO;
	else if (m->type == KEEPER_DROP)
		drop(s, m->key);
	else if (m->type == KEEPER_READY)
		ready(s, w);
	else if (m->type == KEEPER_UPGRADE)
		upgrade(s);
	else
		return -EPROTO;
	return 0;
}

/* Return: whether there may be more. */
static bool hear_one(struct supervisor *s, struct worker *w)
{
	int fds[KEEPER_FDS_MAX];
	struct keeper_msg m;
	uint32_t nr_fds = 0;
	int err = keeper_recv(w->link.fd, &m, fds, &nr_fds, false);

	if (!err)
		return false;
	if (err == -EMFILE) {
		log_error("%s is not kept: %s", m.key, strerror(EMFILE));
		fdpass_close(fds, nr_fds);
		return true;
	}
	if (err > 0)
		err = hear(s, w, &m, fds, nr_fds);
	if (!err)
		return true;
	if (err == -EPROTO) {
		log_error("worker %d: makes no sense, killed", (int)w->pid);
		kill(w->pid, SIGKILL);
	}
	link_close(w); /* its end is what counts, and that is told by a signal */
	return false;
}

static void worker_ready(struct source *src, uint32_t events)
{
	struct worker *w = owner_of(src, struct worker, link);

	(void)events;
	hear_one(w->supervisor, w);
}

/* ---- what becomes of it ---- */

static void end_text(char *text, size_t len, int status)
{
	if (WIFSIGNALED(status))
		snprintf(text, len, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == SPAWN_NOEXEC)
		snprintf(text, len, "could not be executed");
	else
		snprintf(text, len, "ended with exit code %d", WEXITSTATUS(status));
}

static void end(struct supervisor *s, int status)
{
	s->ended = true;
	s->status = status;
}

/* Nobody has been served yet: an error that the operator must see at once. */
static void first_start_failed(struct supervisor *s, int status)
{
	char text[64];

	if (WIFEXITED(status) && (WEXITSTATUS(status) == 1 || WEXITSTATUS(status) == 2)) {
		end(s, WEXITSTATUS(status)); /* it has said why */
		return;
	}
	end_text(text, sizeof(text), status);
	log_error("the first worker %s before it was ready", text);
	end(s, 1);
}

static void start_now(struct supervisor *s)
{
	int err = worker_start(s, s->worker, s->exe_fd);

	s->start_ns = 0;
	if (!err)
		return;
	log_error("worker: %s", strerror(-err));
	if (!s->served)
		return end(s, 1);
	s->start_ns = now_ns() + BACKOFF_MAX_MS * MS;
}

static void start_later(struct supervisor *s, bool was_fine)
{
	if (was_fine)
		s->backoff_ms = 0;
	if (s->backoff_ms && !s->ending)
		s->start_ns = now_ns() + s->backoff_ms * MS;
	else
		start_now(s);
	s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (s->backoff_ms > BACKOFF_MAX_MS)
		s->backoff_ms = BACKOFF_MAX_MS;
}

static void count_death(struct supervisor *s, const struct worker *w, int status)
{
	uint64_t now = now_ns();
	char text[64];

	s->life.nr_deaths++;
	s->life.last_status = status;
	s->life.last_death = (int64_t)time(NULL);
	end_text(text, sizeof(text), status);
	log_warn("worker %d %s, %llu ms after it was ready; %u descriptors are kept", (int)w->pid,
		 text, (unsigned long long)(w->ready_ns ? (now - w->ready_ns) / MS : 0),
		 s->kept.nr_fds);
}

/* The other one has gone, for whatever reason. */
static void next_takes_over(struct supervisor *s)
{
	s->worker = s->next;
	s->next = NULL;
	s->life.upgrade = UPGRADE_DONE;
	if (s->worker->greeted)
		worker_begin(s, s->worker);
}

/* The operator's connection is kept: whoever serves next tells him. */
static void trial_tell(struct supervisor *s, const char *why)
{
	log_warn("upgrade: %s", why);
	snprintf(s->life.why, sizeof(s->life.why), "%s", why);
	s->life.upgrade = UPGRADE_FAILED;
}

/* Also after it had its turn: a worker of the binary from before goes on. */
static void trial_failed(struct supervisor *s, int status)
{
	char text[64], why[KEEPER_WHY_MAX];

	end_text(text, sizeof(text), status);
	snprintf(why, sizeof(why),
		 "the new binary %s before it was ready; the one from before goes on", text);
	trial_tell(s, s->why[0] ? s->why : why);
	trial_close(s);
	start_now(s);
}

static void worker_ended(struct supervisor *s, struct worker *w, int status)
{
	bool was_fine = w->ready_ns && now_ns() - w->ready_ns >= FINE_MS * MS;
	bool asked = WIFEXITED(status) && !WEXITSTATUS(status) && w->leaving;

	while (w->link.fd != NO_FD && hear_one(s, w))
		;
	link_close(w);
	s->life.ended_ns = now_ns();
	s->life.resumed = 1;
	if (w->stopping && (WIFEXITED(status) || ++s->nr_stop_deaths == STOP_DEATHS_MAX))
		return end(s, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	if (!s->served)
		return first_start_failed(s, status);
	if (!asked)
		count_death(s, w, status);
	w->pid = 0;
	if (s->next)
		next_takes_over(s);
	else if (s->new_exe_fd != NO_FD)
		trial_failed(s, status);
	else
		start_later(s, was_fine);
}

static void next_ended(struct supervisor *s, int status)
{
	char text[64], why[KEEPER_WHY_MAX];

	link_close(s->next);
	s->next->pid = 0;
	s->next = NULL;
	trial_close(s);
	end_text(text, sizeof(text), status);
	snprintf(why, sizeof(why), "%.150s: %s", s->exe_path, text);
	if (s->why[0])
		memcpy(why, s->why, sizeof(why));
	if (s->worker->leaving)
		trial_tell(s, why);
	else
		upgrade_refuse(s, why);
}

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while (!s->ended && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->worker->pid)
			worker_ended(s, s->worker, status);
		else if (s->next && pid == s->next->pid)
			next_ended(s, status);
	}
}

/* ---- the end ---- */

static void end_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

/*
 * From here on the signal's own action holds: a second one ends us at once, and the worker
 * with us. Without a worker one is started: it alone can serve what is in the rings.
 */
static void stop(struct supervisor *s, uint32_t signo)
{
	sigset_t set;

	log_info("%s: serving what is in the rings, then ending",
		 signo == SIGTERM ? "SIGTERM" : "SIGINT");
	s->ending = true;
	sd_notify(0, "STOPPING=1");
	end_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (s->next)
		trial_kill(s, s->next, "the daemon ends");
	if (!s->worker->pid)
		start_now(s);
	else if (s->worker->greeted)
		worker_stop(s->worker); /* unless it has died just now: the next one is told */
}

static void signalled(struct source *src, uint32_t events)
{
	struct supervisor *s = owner_of(src, struct supervisor, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(src->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		reap(s);
	else
		stop(s, info.ssi_signo);
}

/* ---- from start to end ---- */

static int signals_open(struct supervisor *s)
{
	sigset_t set;
	int err;

	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN); /* a worker that is gone is an errno to us */
	end_signals(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = (struct source){.ready = signalled};
	s->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->signals.fd < 0)
		return -errno;
	err = loop_add(&s->loop, &s->signals, EPOLLIN);
	if (err)
		close(s->signals.fd);
	return err;
}

/* The path is for upgrades: what it names by then. The descriptor is this binary, whatever becomes of the path. */
static int exe_open(struct supervisor *s)
{
	ssize_t n = readlink("/proc/self/exe", s->exe_path, sizeof(s->exe_path) - 1);

	s->exe_fd = n < 0 ? -1 : open("/proc/self/exe", O_PATH | O_CLOEXEC);
	return s->exe_fd < 0 ? -errno : 0;
}

static int config_open(struct supervisor *s, const char *path)
{
	s->spawn.config_fd = path ? spawn_config_copy(path) : NO_FD;
	return path && s->spawn.config_fd < 0 ? s->spawn.config_fd : 0;
}

static int loop_open(struct supervisor *s)
{
	int err = loop_init(&s->loop);

	if (err)
		return err;
	err = signals_open(s);
	if (err)
		loop_exit(&s->loop);
	return err;
}

/* A tenant costs three descriptors for each process and one for each of its queues: take what we may. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int supervisor_init(struct supervisor *s, const struct options *opt)
{
	int err;

	raise_fd_limit();
	kept_init(&s->kept, KEPT_FDS_MAX);
	fdstore_take(&s->kept);
	s->life.resumed = s->kept.nr_fds > 0;
	s->new_exe_fd = NO_FD;
	s->worker = &s->slots[0];
	s->spawn.lock_fd = dir_lock(opt->run_dir, &run_dir_use);
	if (s->spawn.lock_fd < 0)
		return s->spawn.lock_fd;
	err = exe_open(s);
	if (!err)
		err = config_open(s, opt->config);
	if (!err)
		err = loop_open(s);
	if (err)
		log_error("supervisor: %s", strerror(-err));
	return err;
}

/* The next moment at which something is due, for epoll. */
static int timeout_ms(const struct supervisor *s)
{
	uint64_t due = s->start_ns, now = now_ns();

	if (s->next && !s->next->greeted && (!due || s->next_until_ns < due))
		due = s->next_until_ns;
	if (!due)
		return -1;
	return due <= now ? 0 : (int)((due - now + MS - 1) / MS);
}

static void do_what_is_due(struct supervisor *s)
{
	uint64_t now = now_ns();

	if (s->start_ns && s->start_ns <= now)
		start_now(s);
	if (s->next && s->next->pid && !s->next->greeted && s->next_until_ns <= now)
		trial_kill(s, s->next, "the new binary did not say hello in time");
}

static void supervisor_exit(struct supervisor *s)
{
	link_close(s->worker);
	kept_exit(&s->kept);
}

int supervise(const struct options *opt, int argc, char **argv)
{
	static struct supervisor s;

	s.spawn.argc = argc;
	s.spawn.argv = argv;
	if (supervisor_init(&s, opt))
		return 1;
	start_now(&s);
	while (!s.ended) {
		loop_turn(&s.loop, timeout_ms(&s));
		do_what_is_due(&s);
	}
	supervisor_exit(&s);
	return s.status;
}
