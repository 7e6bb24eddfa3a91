"""Why programs fail: what they write when they do, and what it means in words. Data only; `jobs.diagnosis` applies it.

The first rule that fits wins, so the particular stand before the general. A pattern's named groups fill the sentence.
To add a rule: a name that nobody used before (it is kept with the job), a pattern, two sentences in both languages, and
a line of a real log in `tests/jobs/test_diagnosis.py`. `repairs` are offered by the kind of the job, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

HALF_BATCH, TENTH_RATE, RESUME, AGAIN = "half_batch", "tenth_rate", "resume", "again"


@dataclass(frozen=True)
class Rule:
    """`sentence`: what happened; `advice`: what to do. Without patterns the engine names the rule itself."""

    name: str
    sentence: Promise
    advice: Promise | str = ""
    patterns: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()  # that ended it, nobody here having asked for it
    repairs: tuple[str, ...] = ()


# --- memory ---------------------------------------------------------------------------------------------------------
MEMORY = (
    Rule(
        "gpu_memory",
        _("The GPU ran out of memory."),
        _("A smaller batch or smaller images take less of it."),
        (
            r"CUDA out of memory", r"torch\.(?:cuda\.)?OutOfMemoryError", r"CUDA error: out of memory",
            r"CUBLAS_STATUS_ALLOC_FAILED", r"CUDNN_STATUS_ALLOC_FAILED", r"HIP out of memory",
            r"ResourceExhaustedError", r"Failed to allocate memory for requested buffer",
        ),
        repairs=(HALF_BATCH,),
    ),
    Rule(
        "shared_memory",
        _("The machine's shared memory is full."),
        _("Fewer data loader workers take less of it. In a container it can be made larger: --shm-size."),
        (
            r"(?i)insufficient shared memory", r"(?i)unable to (?:open|mmap|write|resize).*shared memory",
            r"DataLoader worker .* killed by signal: Bus error", r"torch_shm_manager.*(?:error|No space)",
        ),
        repairs=(HALF_BATCH,),
    ),
    Rule(
        "memory",
        _("The machine ran out of memory."),
        _("A smaller batch or smaller images take less of it. So do fewer data loader workers."),
        (
            r"\bMemoryError\b", r"std::bad_alloc", r"[Cc]an(?:'|no)t allocate memory", r"DefaultCPUAllocator",
            r"Unable to allocate [\d.]+ [KMGT]iB", r"(?i)\bnot enough memory\b", r"memory is not enough for",
            r"(?i)\bout of memory\b", r"DataLoader worker .* killed by signal: Killed", r"(?i)insufficient memory",
            r"Signal 9 \(SIGKILL\) received by PID", r"exitcode\s*:\s*-9\b",
        ),
        repairs=(HALF_BATCH,),
    ),
    Rule(  # chosen by `diagnosis`: SIGKILL, and the system says that it ended something for want of memory
        "memory_killed",
        _("The machine ran out of memory, and the system ended the program."),
        _("A smaller batch or smaller images take less of it. So do fewer data loader workers."),
        repairs=(HALF_BATCH, RESUME),
    ),
)  # fmt: skip

# --- the training itself ---------------------------------------------------------------------------------------------
TRAINING = (
    Rule(
        "not_finite",
        _("The loss is no number any more: the training went astray."),
        _("A smaller learning rate usually helps. If not, look for damaged images or labels."),
        (
            r"(?i)the loss is no number", r"(?i)\bloss\b[^\n]{0,40}\b(?:nan|inf|infinite|not finite|non-?finite)\b",
            r"(?i)\b(?:nan|inf|infinite|non-?finite)\b[^\n]{0,20}\bloss\b", r"(?i)loss diverged",
            r"FloatingPointError", r"returned nan values", r"Function '\w+' returned nan",
            r"(?i)input contains (?:nan|infinity)", r"(?i)gradient(?:s)? (?:is|are|contain\w*) (?:nan|inf|not finite)",
        ),
        repairs=(TENTH_RATE,),
    ),
    Rule(
        "base_mismatch",
        _("The weights that it starts from do not fit this network."),
        _("Choose another base model, or none, or the settings that the base model was trained with."),
        (r"Error\(s\) in loading state_dict", r"size mismatch for [\w.]+", r"Missing key\(s\) in state_dict"),
    ),
    Rule(
        "bad_checkpoint",
        _("A file of weights could not be read: it is damaged, or no file of weights."),
        _("Choose another base model. If it is this training's own, train again from the start."),
        (
            r"PytorchStreamReader failed", r"invalid load key", r"UnpicklingError", r"SafetensorError",
            r"Weights only load failed", r"failed finding central directory",
        ),
        repairs=(AGAIN,),
    ),
    Rule(
        "labels",
        _("A computation on the GPU met a number that cannot be, most often a class that the network does not have."),
        _("Compare the labels of the datasets with the classes of the model type."),
        (r"device-side assert triggered", r"Assertion .*(?:t >= 0 && t < n_classes|index out of bounds)"),
    ),
    Rule(
        "no_samples",
        _("There was nothing to learn from: a set is empty."),
        _("Look at the datasets: which images are labelled for this model type?"),
        (r"num_samples should be a positive integer", r"(?i)\bno (?:training|validation) (?:samples|images)\b"),
    ),
)  # fmt: skip

# --- the machine and the installation --------------------------------------------------------------------------------
MACHINE = (
    Rule(
        "missing_module",
        _("The Python module “%(module)s” is not there."),
        _("Its developer names it in the kernel's requirements, or an administrator installs it on the machines."),
        (r"ModuleNotFoundError: No module named '(?P<module>[^']{1,200})'",),
    ),
    Rule(
        "wrong_module",
        _("“%(name)s” is not in the Python module “%(module)s”: another version of it is installed."),
        _("The developer of the kernel says which version it needs."),
        (r"ImportError: cannot import name '(?P<name>[^']{1,200})' from '(?P<module>[^']{1,200})'",),
    ),
    Rule(
        "missing_library",
        _("The system library “%(library)s” is not there."),
        _("An administrator installs it on the machines."),
        (
            r"(?P<library>[\w.+-]{1,100}\.so[\w.]*): cannot open shared object file",
            r"OSError: (?P<library>[\w.+-]{1,100}\.so[\w.]*):",
        ),
    ),
    Rule(
        "quota",
        _("The disk quota of the user is used up."),
        _("Delete models and runs that nobody needs, or have the quota raised. Then let it go on."),
        (r"Disk quota exceeded", r"\[Errno 122\]"),
        repairs=(RESUME, AGAIN),
    ),
    Rule(
        "disk_full",
        _("The disk is full."),
        _("Delete models, runs or datasets that nobody needs. Then let it go on."),
        (r"No space left on device", r"\[Errno 28\]", r"(?i)\bdisk (?:is )?full\b", r"database or disk is full"),
        repairs=(RESUME, AGAIN),
    ),
    Rule(
        "dataset_gone",
        _("A file of the dataset is gone: %(file)s"),
        _("Somebody may have deleted or moved it. Look at the dataset, import it again where needed, train again."),
        (
            r"(?:FileNotFoundError|No such file)[^\n]*?['\"](?P<file>[^'\"]*/(?:dataset|blobs)/[^'\"]*)['\"]",
            r"can't open/read file: (?P<file>\S*/dataset/\S*)", r"(?P<file>\S*/dataset/\S*): No such file or directory",
        ),
        repairs=(AGAIN,),
    ),
    Rule(
        "network",
        _("The program asked for something on the network and did not get it."),
        _("Put pretrained weights where the portal looks for them (TRAINPORTAL_WEIGHTS_DIR), or train without them."),
        (
            r"Temporary failure in name resolution", r"Name or service not known", r"Max retries exceeded with url",
            r"urllib\.error\.(?:URLError|HTTPError)", r"LocalEntryNotFoundError", r"Network is unreachable",
        ),
        repairs=(AGAIN,),
    ),
    Rule(
        "gpu_driver",
        _("The GPU, its driver and the installed PyTorch do not fit together."),
        _("An administrator looks at it: the line below says what is missing."),
        (
            r"no kernel image is available for execution", r"NVIDIA driver on your system is too old",
            r"CUDA driver version is insufficient", r"no CUDA-capable device is detected",
            r"CUDA unknown error", r"Torch not compiled with CUDA enabled", r"No CUDA GPUs are available",
        ),
    ),
    Rule(
        "gpu_fault",
        _("The GPU reported a fault."),
        _("Let it go on. If it comes back, an administrator looks at the machine."),
        (
            r"uncorrectable (?:NVLink |ECC )?error", r"(?i)\bECC error", r"fell off the bus",
            r"CUDA error: (?:unspecified launch failure|an illegal memory access|hardware stack error|misaligned)",
            r"CUDNN_STATUS_(?:INTERNAL_ERROR|EXECUTION_FAILED)", r"CUBLAS_STATUS_EXECUTION_FAILED",
        ),
        repairs=(RESUME, AGAIN),
    ),
    Rule(
        "ranks",
        _("The processes of the training lost each other."),
        _("Let it go on. If it comes back, try it on one device."),
        (
            r"Watchdog caught collective operation timeout", r"NCCL error", r"ncclSystemError",
            r"connectFullMesh failed", r"Connection closed by peer", r"torch\.distributed\.DistBackendError",
        ),
        repairs=(RESUME, AGAIN),
    ),
    Rule(
        "not_allowed",
        _("The program may not open “%(file)s”."),
        _("A kernel reads its data and writes into the folders of its run, nothing else."),
        (
            r"PermissionError: \[Errno 13\] [^\n]*?'(?P<file>[^'\n]{1,500})'",
            r"Read-only file system: '(?P<file>[^'\n]{1,500})'",
        ),
    ),
    Rule(
        "not_started",
        _("The program could not be started: %(why)s"),
        _("An administrator looks at the machine; the developer of the kernel at how it starts."),
        (r"The program could not be started: (?P<why>.{1,500})", r"can't open file (?P<why>'.{1,500})"),
    ),
)  # fmt: skip

# --- what the engine itself knows, and its message says in detail ----------------------------------------------------
ENGINE = (
    Rule("wall", _("It ran longer than it may, and was ended."),
         _("What it had saved is kept: it can go on from there, and its time begins anew."), repairs=(RESUME,)),
    Rule("silence", _("It wrote nothing for longer than it may, and was ended: it seems to have hung."),
         _("Let it go on. If it hangs again at the same place, the developer of the kernel looks at the log."),
         repairs=(RESUME, AGAIN)),
    Rule("disk", _("It wrote more to the disk than a run may, and was ended."),
         _("Keep fewer checkpoints, or have an administrator raise the limit. Then let it go on."), repairs=(RESUME,)),
    Rule("interrupted", _("It was interrupted again and again, and is not started by itself any more."),
         _("The machine or the program was gone without a word each time. Look at the machine, then let it go on."),
         repairs=(RESUME, AGAIN)),
    Rule("host_lost", _("Its machine was lost, again and again, and it is not started by itself any more."),
         _("Look at the machine, then let it go on."), repairs=(RESUME, AGAIN)),
    Rule("incomplete", _("The program ended, but its results are not complete."),
         _("What is missing stands below. The developer of the kernel looks at it.")),
    Rule("refused", _("It could not be done."), repairs=(AGAIN,)),
    Rule("portal_fault", _("Something unexpected happened in the portal."),
         _("Try it once more. If it comes back, tell an administrator the number of this job."),
         repairs=(RESUME, AGAIN)),
)  # fmt: skip

# --- killed, or ended without a word ---------------------------------------------------------------------------------
ENDS = (
    Rule("killed", _("Somebody or something outside the portal ended the program at once (SIGKILL)."),
         _("Most often the machine's memory is full; an administrator may have done it too."), signals=("SIGKILL",),
         repairs=(RESUME, HALF_BATCH)),
    Rule("asked_to_end", _("Somebody or something outside the portal asked the program to end (%(signal)s)."),
         _("A machine that restarts does so. Let it go on."), signals=("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"),
         repairs=(RESUME, AGAIN)),
    Rule("file_size", _("A file grew larger than a run may write."),
         _("Have the program write less, or an administrator raise the limit."), (r"\[Errno 27\]", r"File too large"),
         signals=("SIGXFSZ",)),
    Rule("crashed", _("The program crashed in its native code (%(signal)s)."),
         _("The developer of the kernel looks at the log. Once more may help where the machine is at fault."),
         signals=("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS", "SIGTRAP"), repairs=(RESUME, AGAIN)),
    Rule("signal", _("The program was killed by the signal %(signal)s."), repairs=(RESUME, AGAIN)),
    Rule("said", _("It failed, and this is what it said:"), repairs=(AGAIN,)),
    Rule("exit_code", _("The program ended with exit code %(code)s and did not say why."),
         _("The end of the log may tell more."), repairs=(AGAIN,)),
)  # fmt: skip

RULES = (*MEMORY, *TRAINING, *MACHINE, *ENGINE, *ENDS)
BY_NAME = {rule.name: rule for rule in RULES}
