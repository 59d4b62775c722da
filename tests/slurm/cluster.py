# SPDX-License-Identifier: BSD-3-Clause
"""A Slurm of a few emulated nodes on loopback, for the time of a test: no systemd, nothing outside one folder.

Each node is a slurmd with a host name, a /dev/shm and a temporary folder of its own, so that Open MPI takes nodes for
hosts: TCP between them, shared memory inside one. Needs root, slurm-wlm and munge; Missing says what is not there.
"""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo", "unshare")
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")

CONFIGURATION = """\
ClusterName=lpusim
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=1
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
KillWait=5
MinJobAge=3600
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
TmpFS={folder}/tmp/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = "NodeName={name} NodeHostname={name} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory=4000 State=UNKNOWN"


class Missing(Exception):
    """Why no Slurm can be started here."""


def _path():
    """Daemons live in sbin, which is not in everybody's PATH."""
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def _look_for_tools():
    if os.geteuid() != 0:
        raise Missing("slurmd wants to be root")
    absent = [tool for tool in TOOLS if not shutil.which(tool, path=_path())]
    if absent:
        raise Missing(f"{', '.join(absent)} not installed (./quickstart slurm installs slurm-wlm and munge)")


def _free_ports(count):
    """Ports that nobody has now."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Cluster:
    """with Cluster(folder, nodes, cpus) as cluster: ... `folder` is empty, and short enough for a socket's name."""

    def __init__(self, folder, nodes, cpus):
        _look_for_tools()
        self.folder = pathlib.Path(folder)
        self.names = [f"node{number + 1}" for number in range(nodes)]
        ports = _free_ports(nodes + 1)
        lines = [NODE.format(name=name, port=port, cpus=cpus) for name, port in zip(self.names, ports[1:])]
        # What tests tell Open MPI of their one node is wrong for several.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OMPI_MCA_")}
        self.environment = dict(kept, SLURM_CONF=str(self.folder / "slurm.conf"), PATH=_path())
        for name in self.names:
            (self.folder / "spool" / name).mkdir(parents=True)
            (self.folder / "tmp" / name).mkdir(parents=True)
        (self.folder / "state").mkdir()
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(
            host=socket.gethostname().split(".")[0], port=ports[0], folder=self.folder, nodes="\n".join(lines)))

    def __enter__(self):
        try:
            self._start_munge()
            self.call("slurmctld", "-c")
            self._start_nodes()
            self._await_nodes()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def call(self, *words):
        """What a command of Slurm prints."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def _start_munge(self):
        munge = self.folder / "munge"
        munge.mkdir()
        key = munge / "key"
        key.write_bytes(os.urandom(1024))
        owner = pwd.getpwnam("munge")
        for path, mode in ((self.folder, 0o755), (munge, 0o700), (key, 0o600)):
            path.chmod(mode)
        for path in (munge, key):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        # Files of munged stand in its own folder, but for the socket, which everybody may reach.
        os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.call("setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "munged",
                  f"--key-file={key}", f"--socket={self.folder}/munge.socket", f"--pid-file={self.folder}/munged.pid",
                  f"--log-file={munge}/log", f"--seed-file={munge}/seed")

    def _start_nodes(self):
        hosts = self.folder / "hosts"
        hosts.write_text(pathlib.Path("/etc/hosts").read_text() + "".join(f"127.0.0.1 {n}\n" for n in self.names))
        for name in self.names:
            self.call("unshare", "--uts", "--mount", "--propagation", "private", "sh", "-c",
                      f"hostname {name} && mount -t tmpfs -o size=1g tmpfs /dev/shm && "
                      f"mount --bind {hosts} /etc/hosts && exec slurmd -N {name}")

    def _await_nodes(self):
        for _ in range(300):
            if self.call("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * len(self.names):
                return
            time.sleep(0.1)
        raise AssertionError("nodes do not come up: " + self.call("sinfo", "-l", "-N"))

    def submit(self, script, *arguments, options=(), environment=None, cwd=None):
        """Job id of a batch script."""
        known = dict(self.environment, **(environment or {}))
        words = ["sbatch", "--parsable", *options, str(script), *arguments]
        done = subprocess.run(words, env=known, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split(";")[0].strip()

    def fields(self, job):
        """Of a job, or of one task of an array ("7_2"): JobState, ExitCode, Restarts, NodeList, ..."""
        return dict(re.findall(r"(\S+?)=(\S*)", self.call("scontrol", "-o", "show", "job", job).splitlines()[0]))

    def wait(self, job, seconds=120):
        """The fields of a job that has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.fields(job)
            if found["JobState"] in ENDED:
                return found
            time.sleep(0.2)
        raise AssertionError(f"job {job} goes on for ever: {self.fields(job)}")

    def stop(self):
        """All jobs and daemons."""
        if (self.folder / "slurmctld.pid").exists():
            subprocess.run(["scancel", "--user=root", "--signal=KILL"], env=self.environment, timeout=60, check=False)
        for pid_file in (*self.folder.glob("slurmd.*.pid"), self.folder / "slurmctld.pid", self.folder / "munged.pid"):
            _end(pid_file)


def _end(pid_file):
    """Asks a daemon to go, and makes sure that it has."""
    if not pid_file.exists() or not pid_file.read_text().strip():
        return
    pid = int(pid_file.read_text())
    for number, tries in ((signal.SIGTERM, 100), (signal.SIGKILL, 20)):
        for turn in range(tries):
            try:
                os.kill(pid, number if turn == 0 else 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)
