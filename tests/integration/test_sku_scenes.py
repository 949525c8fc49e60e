"""SKU links on the development scenes: other hosts, other goods, worse schedules and hearing."""

import functools

import pytest

from benchmarks.calibration import FITTED, Scene, error, heard, points, scenes, table, with_schedule
from pipeline.claims.confidence import of_basis, of_margin
from pipeline.claims.products import SkuLinker

SCHEDULES = ("given", "removed", "late", "swapped")
WIDER = frozenset(
    [
        "en_air_purifiers_vacuums",
        "en_biltong_rooibos_rusks_za",
        "en_breadmaker_soupmaker_dudley",
        "en_bridal_prom_gowns",
        "en_bunk_beds_raleigh",
        "en_car_accessories_tyres",
        "en_cardigan_raincoat_alpaca_nz",
        "en_ceiling_fans_tampa",
        "en_cica_toner_sunstick_sg",
        "en_claddagh_connemara_oughterard",
        "en_dehumidifier_heater_gander",
        "en_diver_readers_shopchannel_duo",
        "en_dutchoven_lobsterpot_ns",
        "en_espresso_grinders_beans",
        "en_fish_and_steak_box",
        "en_golf_waterproofs_fife",
        "en_guitars_pedals_fiddles",
        "en_gym_weights_mats",
        "en_hammer_drill_lamp_pune_in",
        "en_houseplants_bulbs_pots",
        "en_jerky_electrolytes_granola_ut",
        "en_kayak_fishing_gear",
        "en_kopi_sambal_kuihkapit_my",
        "en_lipstick_lashes_nails",
        "en_marikina_loafers_slides_ph",
        "en_mattress_bed_frames",
        "en_olive_oil_cheese_pasta",
        "en_openear_strap_tripod_atl",
        "en_pizza_ovens_edmonton",
        "en_preowned_watches",
        "en_pressure_washer_hose_toledo",
        "en_rabbit_hutch_chooks_parrot_sa",
        "en_rattan_teak_firepit_antrim",
        "en_refurb_phones_tablets",
        "en_sarees_bangles_silver",
        "en_sewing_notions_fabric_kalamazoo",
        "en_sofas_dining_tables",
        "en_straighteners_ipl_gel_lamp_bootle",
        "en_topper_weighted_crib_sk",
        "en_trading_cards_comics",
        "en_vinyl_used_books",
        "en_wagon_marble_doll_bc",
        "en_weekender_tote_beltbag_mtl",
        "zh_aquarium_fish_tanks",
        "zh_auto_dashcam_tyres_oil",
        "zh_bathroom_faucets_toilets",
        "zh_cloisonne_hetian_nanhong_beijing",
        "zh_cut_flowers_succulents",
        "zh_diapers_wipes_bottles",
        "zh_eyeglass_frames_lenses",
        "zh_family_tent_skates_paddles_chengdu",
        "zh_fishing_rods_lures",
        "zh_guitars_flutes_keyboards",
        "zh_hair_dye_remover_press_nails_baiyun",
        "zh_handwoven_cloth_cotton_quilt_heze",
        "zh_hanfu_qipao_hairpins",
        "zh_hotpot_base_baking",
        "zh_noodle_press_pancake_griddle_zhengzhou",
        "zh_oral_care_brushes",
        "zh_parka_cashmere_coat_wuai_shenyang",
        "zh_pine_nuts_frozen_pear_yichun",
        "zh_power_tools_hardware",
        "zh_preowned_luxury_bags",
        "zh_refurb_laptops_printers",
        "zh_rompers_smocks_train_zhili",
        "zh_senior_phone_radio_walkie_huaqiang",
        "zh_snow_boots_sangpo_henan",
        "zh_swim_yoga_badminton",
        "zh_trolley_briefcase_belt_shaodong",
        "zh_walnuts_beads_carvings",
        "zh_yellow_wine_plum_pearl_tea_shaoxing",
    ]
)
"""Scenes in which promises and products are named in ever other words: they have floors apart."""


@functools.cache
def given(*, wider: bool = False) -> tuple[Scene, ...]:
    dev = [s for s in scenes() if s.broadcast.broadcast_id.startswith("dev-")]
    return tuple(s for s in dev if (s.name in WIDER) is wider)


def share(scene: Scene, schedule: str, speech: str = "as labelled") -> float:
    changed = heard(scene, speech)
    linker = SkuLinker(with_schedule(changed.broadcast, schedule), changed.lines)
    right = 0
    for c in scene.claims:
        line = changed.lines[c["segment_index"]]
        link = linker.link(line, c["char_start"], c["char_end"], claim_type=c["claim_type"])
        right += link.sku_id == c["sku_id"]
    return right / len(scene.claims)


def mean(schedule: str, speech: str, *, wider: bool = False) -> float:
    chosen = given(wider=wider)
    weights = [len(s.claims) for s in chosen]
    parts = [share(s, schedule, speech) * n for s, n in zip(chosen, weights, strict=True)]
    return sum(parts) / sum(weights)


def test_there_are_scenes():
    assert len(given()) >= 12


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_scene_with_every_schedule(schedule):
    shares = {s.name: share(s, schedule) for s in given()}
    assert min(shares.values()) >= 0.88, shares
    assert sum(shares.values()) / len(shares) >= 0.97


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_wider_scene_with_every_schedule(schedule):
    shares = {s.name: share(s, schedule) for s in given(wider=True)}
    assert len(shares) == len(WIDER)
    assert min(shares.values()) >= 0.57, shares
    assert sum(shares.values()) / len(shares) >= 0.92


@pytest.mark.parametrize(
    ("speech", "floor"),
    [("numbers misheard", 0.90), ("words misheard", 0.95), ("no aliases", 0.95)],
)
@pytest.mark.parametrize("schedule", ["given", "removed"])
def test_links_hold_when_less_is_heard(schedule, speech, floor):
    assert mean(schedule, speech) >= floor


@pytest.mark.parametrize(
    ("speech", "floor"),
    [("numbers misheard", 0.86), ("words misheard", 0.92), ("no aliases", 0.86)],
)
@pytest.mark.parametrize("schedule", ["given", "removed"])
def test_links_of_wider_scenes_hold_when_less_is_heard(schedule, speech, floor):
    assert mean(schedule, speech, wider=True) >= floor


def test_with_announcements_lost_the_links_called_sure_stay_near_what_they_claim():
    made = [p for p in points(given()[:6]) if p.speech == FITTED]
    sure = [p for p in made if not p.link.unsure]
    assert sum(p.right for p in sure) / len(sure) >= 0.85
    assert error(table(made)) <= 0.12


def test_confidence_never_falls_with_the_margin_and_never_claims_certainty():
    steps = [of_margin(n / 10) for n in range(200)]
    assert steps == sorted(steps)
    assert steps[0] <= 500
    assert steps[-1] <= 990
    assert of_basis("closing") < of_basis("rules") < of_basis("room")
