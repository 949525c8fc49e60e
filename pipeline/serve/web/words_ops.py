"""The words of the operations page, in Chinese and English."""

from __future__ import annotations

from pipeline.serve.web.words import LANGUAGES

_BOTH: dict[str, tuple[str, str]] = {
    "heading": ("运行状况", "Operations"),
    "backlog": ("待办", "Backlog"),
    "waiting": ("等待处理", "waiting"),
    "parked": ("暂停：资源不够", "parked: no room"),
    "running": ("正在处理", "running"),
    "unfinished": ("中断，未完成", "unfinished"),
    "on_air": ("正在播出", "on air"),
    "quarantined": ("已隔离", "set aside"),
    "waits": ("正在等待", "Waiting for"),
    "store": ("对象存储", "the object store"),
    "index": ("检索索引", "the search index"),
    "room": ("暂存空间", "room in the scratch folder"),
    "works_on": ("处理对象", "Works on"),
    "none_waits": (
        "没有处理在等待服务或空间。",
        "Nothing at work waits for a service or for room.",
    ),
    "index_away": (
        "检索索引目前没有应答，覆盖率未知",
        "The search index does not answer now; coverage is unknown",
    ),
    "hours_waiting": ("小时录像在等待（按大小估计）", "recorded hours wait (from their size)"),
    "oldest": ("最久", "oldest"),
    "coverage": ("听写覆盖率", "Coverage"),
    "listened": ("已听写", "listened to"),
    "of": ("，共", "of"),
    "broadcasts": ("场直播", "broadcasts"),
    "all_heard": ("每一场都已完整听写。", "Every broadcast was listened to without loss."),
    "worst_first": ("有缺口的直播，缺得最多的在前", "Broadcasts with gaps, the worst first"),
    "quarantine": ("隔离：需要人处理", "Set aside: a person must look"),
    "nothing_aside": ("没有被隔离的录像。", "Nothing was set aside."),
    "place": ("位置", "Place"),
    "tries": ("尝试次数", "Tries"),
    "error": ("错误", "Error"),
    "reason": ("原因", "Reason"),
    "since": ("至今", "Since"),
    "standing": ("状态", "Standing"),
    "not_done": ("未完成的工作", "What is not done"),
    "nothing_waits": ("没有待办。", "Nothing waits."),
    "divergences": ("两次结果不同", "Divergences"),
    "none_diverged": ("没有。", "None."),
    "stage": ("阶段", "Stage"),
    "first": ("采用的结果", "Stands"),
    "other": ("另一结果", "Beside it"),
    "broadcast": ("直播", "Broadcast"),
    "disk": ("磁盘", "Disk"),
    "free": ("可用", "free"),
    "scratch": ("暂存已用", "scratch in use"),
}
OPS = {
    lang: {key: both[number] for key, both in _BOTH.items()}
    for number, lang in enumerate(LANGUAGES)
}
