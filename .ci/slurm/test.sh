#!/usr/bin/env bash
# The Snakefile on a real Slurm of one node, where root can install one (Debian): a trained network, two chapters, told at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."
home=$(mktemp -d)
stop() {
  for f in ctld slurmd; do [ -f "$home/$f.pid" ] && kill "$(cat "$home/$f.pid")"; done
  pkill munged || true
  rm -rf "$home"
}
trap stop EXIT
command -v slurmctld >/dev/null || { apt-get update -qq && apt-get install -y -qq slurm-wlm munge; } >/dev/null
mkdir -p "$home/state" "$home/spool" /run/munge /etc/slurm
chown munge: /run/munge
cat >/etc/slurm/slurm.conf <<C
ClusterName=one
SlurmctldHost=$(hostname)(127.0.0.1)
AuthType=auth/munge
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool
SlurmctldPidFile=$home/ctld.pid
SlurmdPidFile=$home/slurmd.pid
SlurmctldLogFile=$home/ctld.log
SlurmdLogFile=$home/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
MpiDefault=none
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=12000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
C
su munge -s /bin/bash -c "munged --force"
sleep 1
slurmctld
slurmd
sleep 4
.venv/bin/pip install --quiet --disable-pip-version-check --target "$home/plugin" --no-deps \
  snakemake-executor-plugin-slurm snakemake-executor-plugin-slurm-jobstep throttler snakemake-interface-executor-plugins
export SEELIKE_ZOO="$home/zoo" PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$home/plugin"
run() {
  snakemake --profile .ci/slurm --nolock --jobs 2 --slurm-status-command squeue --slurm-init-seconds-before-status-checks 3 \
    --config tier=smoke jobs=2 -- "$@"
}
run "$(realpath --relative-to=. "$SEELIKE_ZOO")/smoke/resnet-0.json"
run _build/smoke/done/03_representation_structure _build/smoke/done/06_skip_connections
test -s "$SEELIKE_ZOO/smoke/resnet-0.safetensors"
ls _build/smoke/source/book/chapters/0[36]*.ipynb
