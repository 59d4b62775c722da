# SPDX-License-Identifier: BSD-3-Clause
"""The batch scripts under a real Slurm: one node, two nodes, an array; the same file from each as without Slurm."""
import os
import pathlib
import subprocess
import sys
import tempfile

from cluster import Cluster, Missing

SOURCE = pathlib.Path(os.environ["LPUSIM_SOURCE_DIR"])
PROGRAM = os.environ["LPUSIM_MP"]
SHORT = ("--set", "workload.prompt_tokens=33", "--set", "workload.decode_tokens=3")


def direct(folder, config, *options):
    """The file of a run without Slurm."""
    path = folder / "direct.h5"
    subprocess.run([PROGRAM, f"configs/{config}.cfg", "--quiet", "--out", path, *options], cwd=SOURCE, check=True)
    return path


def same(one, other):
    """But for what tells who ran it, two files hold the same."""
    done = subprocess.run(["h5diff", "--exclude-path", "/run", one, other], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{one} and {other} differ: {done.stdout}{done.stderr}"


class Jobs:
    """Batch scripts, submitted from a folder that looks like the source tree."""

    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        for name in ("slurm", "configs"):
            (folder / name).symlink_to(SOURCE / name)

    def submit(self, script, *arguments, options=(), launcher=""):
        # Emulated nodes share the cores of one machine, which no rank can see: say that idle ranks are to yield.
        known = {"LPUSIM_MP": PROGRAM, "LPUSIM_LAUNCHER": launcher, "OMPI_ALLOW_RUN_AS_ROOT": "1",
                 "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_mpi_yield_when_idle": "1"}
        return self.cluster.submit(f"slurm/{script}.sbatch", *arguments, options=options, environment=known,
                                   cwd=self.folder)

    def must(self, job, log):
        """What a job printed that did what it should."""
        ended = self.cluster.wait(job)
        text = (self.folder / log).read_text()
        assert ended["JobState"] == "COMPLETED" and ended["ExitCode"] == "0:0", f"{ended}\n{text}"
        print(f"job {job}: {ended['JobName']} on {ended['NodeList']}, {ended['RunTime']}", flush=True)
        return text


def one_node(jobs):
    for launcher in ("srun", "mpirun"):
        job = jobs.submit("rack", *SHORT, launcher=launcher)
        text = jobs.must(job, f"lpusim-rack-{job}.log")
        assert "ranks 0-7 on node1" in text, text
        same(jobs.folder / f"rack-{job}.h5", direct(jobs.folder, "rack", *SHORT))


def two_nodes(jobs):
    for launcher in ("srun", "mpirun"):
        job = jobs.submit("nodes", "configs/small.cfg", *SHORT, options=("--ntasks-per-node=2",), launcher=launcher)
        text = jobs.must(job, f"lpusim-nodes-{job}.log")
        assert "ranks 0-1 on node1" in text and "ranks 2-3 on node2" in text, text
        same(jobs.folder / f"nodes-{job}.h5", direct(jobs.folder, "small", *SHORT))


def an_array(jobs):
    job = jobs.submit("sweep", "workload.decode_tokens", "2", "3", "--", "--mode=lpu", options=("--array=0-1",))
    for task, value in enumerate(("2", "3")):
        jobs.must(f"{job}_{task}", f"lpusim-sweep-{job}_{task}.log")
        same(jobs.folder / f"sweep-{job}-{value}.h5",
             direct(jobs.folder, "rack", "--mode=lpu", "--set", f"workload.decode_tokens={value}"))


def a_fault(jobs):
    """What is wrong with the input is in the job's log and in its exit code."""
    job = jobs.submit("rack", "--set", "lpu.seats=many")
    ended = jobs.cluster.wait(job)
    text = (jobs.folder / f"lpusim-rack-{job}.log").read_text()
    assert ended["JobState"] == "FAILED" and ended["ExitCode"] == "2:0" and "lpu.seats" in text, f"{ended}\n{text}"


def main():
    # Sockets have short names: the temporary folder itself, not one of the build.
    with tempfile.TemporaryDirectory(prefix="lpusim") as scratch:
        slurm, work = pathlib.Path(scratch) / "slurm", pathlib.Path(scratch) / "work"
        slurm.mkdir()
        work.mkdir()
        os.chmod(scratch, 0o755)
        try:
            cluster = Cluster(slurm, 2, 8)
        except Missing as why:
            print(f"SKIPPED: no Slurm: {why}")
            sys.exit(77)
        with cluster:
            jobs = Jobs(cluster, work)
            for check in (one_node, two_nodes, an_array, a_fault):
                check(jobs)


main()
