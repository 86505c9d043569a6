"""School workbooks of national forms with known truth: both generations, with the grid and the dirt seen in real ones."""

import io
from collections.abc import Mapping
from typing import Any

import xlsxwriter

from planlib.clean.files.sheet import column_letters

STAGE_WORDS = {"preschool": "幼儿园", "primary": "小学", "junior": "初中", "senior": "高中"}
TYPE_WORDS = {
    "kindergarten": "幼儿园",
    "primary": "小学",
    "junior": "初级中学",
    "nine_year": "九年一贯制学校",
    "twelve_year": "十二年一贯制学校",
    "secondary": "完全中学",
}
STAGES = {
    "kindergarten": ["preschool"],
    "primary": ["primary"],
    "junior": ["junior"],
    "nine_year": ["primary", "junior"],
    "twelve_year": ["primary", "junior", "senior"],
    "secondary": ["junior", "senior"],
}
GRADES = {"primary": "一二三四五六", "junior": "一二三", "senior": "一二三"}
STUDENT_FORMS = {"primary": ("312", "3112"), "junior": ("313", "3115"), "senior": ("314", "3118")}
COURSES = ["语文", "数学", "体育", "音乐", "美术", "艺术"]
DEGREES = ["研究生毕业", "本科毕业", "专科毕业", "高中阶段毕业"]
AGES = {"primary": range(6, 12), "junior": range(12, 15)}
BANDS = {
    "classes_to_45": ["25人及以下", "41-45人"],
    "classes_46_to_55": ["46-50人"],
    "classes_56_to_65": ["56-60人"],
    "classes_above_65": ["66人及以上"],
}
TITLES = ["正高级", "副高级", "中级", "助理级", "未定职级"]


class Table:
    """One form: title, header rows (a cell merged over `span` columns), labels, figures."""

    def __init__(
        self, code: str, title: str, unit: str, heads: list[list[tuple[str, int]]], labels: list[str], rows
    ):
        self.code, self.title, self.unit, self.heads, self.labels, self.rows = (
            code,
            title,
            unit,
            heads,
            labels,
            rows,
        )


def plain(value: Any) -> Any:
    return value


def write_table(
    book, name: str, table: Table, year: int, dirt=plain, grid: bool = True, said_year: bool = False
) -> None:
    """Write a form as a sheet; `dirt` spoils a figure's way of writing, never its value."""
    sheet = book.add_worksheet(name)
    top, left = (1, 1) if grid else (0, 0)
    width = len(table.labels) + sum(span for _, span in table.heads[0])
    lines = [table.title + (f"（{year} /{year + 1}学年初）" if said_year else "")]
    lines.append(f"{table.code}{' ' * 40}单位：{table.unit}" if table.unit else table.code)
    for line in lines:
        sheet.merge_range(top, left, top, left + max(width - 1, 1), line)
        top += 1
    deep = len(table.heads)
    for place, text in enumerate(table.labels):
        if deep > 1:
            sheet.merge_range(top, left + place, top + deep - 1, left + place, text)
        else:
            sheet.write_string(top, left + place, text)
    for depth, heads in enumerate(table.heads):
        at = left + len(table.labels)
        for text, span in heads:
            if text and span > 1:
                sheet.merge_range(top + depth, at, top + depth, at + span - 1, text)
            elif text:
                sheet.write_string(top + depth, at, text)
            at += span
    top += deep
    marks = ["甲", "乙", "丙"][: len(table.labels)] + [str(n + 1) for n in range(width - len(table.labels))]
    for place, text in enumerate(marks):
        sheet.write_string(top, left + place, text)
    top += 1
    for row in table.rows:
        for place, value in enumerate(row):
            spoiled = dirt(value) if place >= len(table.labels) else value
            if isinstance(spoiled, str):
                sheet.write_string(top, left + place, spoiled) if spoiled else None
            elif spoiled is not None:
                sheet.write_number(top, left + place, spoiled)
        top += 1
    sheet.write_string(top, left, "填表人：甲　　审核人：乙")
    if grid:
        for c in range(left + width):
            sheet.write_string(0, c, column_letters(c))
        for r in range(1, top):
            sheet.write_string(r, 0, str(r))


def tables(one: Mapping[Any, Any], new: bool) -> list[Table]:
    """Return the forms of a school: `one` has columns, and (stage, column) for figures by stage."""
    one, kind = told(one, new), one["school_type"]
    stages = STAGES[kind]
    mark = "教基" if new else "基础基"
    made = [basics(one, mark, new)]
    if kind == "kindergarten":
        return made + kindergarten(one, mark, new)
    made.append(continued(one, mark, new))
    for stage in stages:
        made.append(students(one, stage, mark, new))
        made += [ages(one, stage)] if new and stage in AGES else []
    made += [classes(one, stage, mark, new) for stage in stages if stage == "primary"]
    secondary = [s for s in stages if s != "primary"]
    if secondary:
        made.append(secondary_classes(one, secondary, mark, new))
    made += [staff(one, mark, new), titles(one, mark, new)]
    if "primary" in stages:
        made.append(
            courses(one, "primary", mark + ("4155" if new else "423"), "小学专任教师分课程、分学历情况", [None])
        )
    if secondary:
        made.append(
            courses(one, "", mark + ("4156" if new else "424"), "中学专任教师分课程、分学历情况", secondary)
        )
    return made + plant(one, mark, new)


def basics(one, mark, new):
    labels = [
        ("学校（机构）标识码", one["school_id"]),
        ("学校（机构）名称", one["school_name"]),
        ("学校（机构）办学类型", TYPE_WORDS[one["school_type"]]),
        ("学校（机构）举办者", {"public": "县级教育部门", "private": "民办"}[one["ownership"]]),
        ("建校年份", one.get("opened_year")),
        ("学校（机构）地址", "某路1号"),
    ]
    rows = [[text, f"{n:02d}", value] for n, (text, value) in enumerate(labels, 1)]
    title = "学校（机构）基本情况" if new else "基础教育学校（机构）统计调查表"
    return Table(mark + ("1001" if new else "111"), title, "", [[("填报内容", 1)]], ["指标名称", "代码"], rows)


def continued(one, mark, new):
    rows = [["校医院(卫生室)", "01", "有" if one["has_clinic"] else "无"]]
    rows += [["专职校医", "02", int(one["has_school_doctor"])], ["专职保健人员", "03", None]]
    for place, stage in enumerate(s for s in ("primary", "junior", "senior")):
        shown = one.get((stage, "backbone_teachers"), "*")
        rows.append([f"县级及以上骨干教师（{STAGE_WORDS[stage]}）", f"{4 + place:02d}", shown])
    code = mark + ("1102续" if new else "112")
    return Table(code, "基础教育学校（机构）统计调查表续表", "", [[("数量", 1)]], ["指标名称", "代码"], rows)


def students(one, stage, mark, new):
    grades = [f"{g}年级" for g in GRADES[stage]]
    total, entrants, leavers = (one[stage, name] for name in ("students", "entrants", "graduates_expected"))
    by_grade = one.get((stage, "by_grade"), split(total, len(grades)))
    female = one[stage, "students_female"]
    girls = [n // 2 for n in by_grade]
    boys = one.get((stage, "students_male"))
    title = {"primary": "小学", "junior": "初中", "senior": "普通高中"}[stage] + (
        "分类型学生数" if new else "学生数"
    )
    if new:
        heads = [
            [
                ("毕业生数", 1),
                ("招生数", 1),
                ("在校生数", 1),
                ("#女", 1),
                *((g, 1) for g in grades),
                ("预计毕业生数", 1),
            ]
        ]
        rows = [
            ["总计", "01", 90, entrants, total, female, *by_grade, leavers],
            ["#女", "02", 44, entrants // 2, female, "*", *girls, girls[-1]],
            ["#少数民族", "03", None, 1, 2, 1, *[None] * len(grades), None],
        ]
    else:
        n = len(grades)
        heads = [
            [("毕业生数", 1), ("招生数", 2), ("在校生数_x000D_\n", n + 1), ("预计毕业生数", 1)],
            [("", 1), ("合计", 1), ("其中：受过学前教育", 1), ("合  计", 1), *((g, 1) for g in grades), ("", 1)],
        ]
        rows = [
            ["总  计", "01", 90, entrants, entrants, total, *by_grade, leavers],
            ["其中：女", "02", 44, entrants // 2, None, female, *girls, girls[-1]],
        ]
    if boys is not None:
        rows.append(
            ["其中：男", "04", *[None] * (2 if new else 3), boys, *[None] * (len(grades) + (2 if new else 1))]
        )
    return Table(mark + STUDENT_FORMS[stage][new], title, "人", heads, ["指标名称", "代码"], rows)


def ages(one, stage):
    code, title = {"primary": ("3113", "小学分年龄学生数"), "junior": ("3116", "初中分年龄学生数")}[stage]
    own, total = one[stage, "students_of_age"], one[stage, "students"]
    counts = [("总计", total), *zip((f"{n}岁" for n in AGES[stage]), split(own, len(AGES[stage])), strict=True)]
    rows = [[text, f"{n:02d}", None, count] for n, (text, count) in enumerate([*counts, ("其他", total - own)], 1)]
    return Table("教基" + code, title, "人", [[("招生数", 1), ("在校生数", 1)]], ["指标名称", "代码"], rows)


def told(one: Mapping[Any, Any], new: bool) -> dict[Any, Any]:
    """Return a school with what its forms say besides: what is not given agrees with the rest."""
    more: dict[Any, Any] = {}
    for stage in STAGES[one["school_type"]]:
        if stage == "preschool":
            continue
        by_grade, number = split(one[stage, "students"], len(GRADES[stage])), one[stage, "classes"]
        more |= {
            (stage, "graduates_expected"): by_grade[-1],
            (stage, "students_female"): sum(n // 2 for n in by_grade),
        }
        if new and stage in AGES:
            more[stage, "students_of_age"] = one[stage, "students"] - one[stage, "students"] // 50
        more |= {(stage, name): number if name == "classes_to_45" else 0 for name in BANDS}
    return more | dict(one)


def bands(one, stage, width):
    """Return the rows of classes by size: each figure in the rows of its texts."""
    rows = [
        row
        for name, texts in BANDS.items()
        for row in zip(texts, split(one[stage, name], len(texts)), strict=True)
    ]
    return [[f"其中：{text}", None, figure, *[None] * width] for text, figure in rows]


def split(total, parts):
    whole = [total // parts] * parts
    whole[0] += total - sum(whole)
    return whole


def classes(one, stage, mark, new):
    grades = [f"{g}年级" for g in GRADES[stage]]
    number = one[stage, "classes"]
    heads = [[("合计", 1), *((g, 1) for g in grades)]]
    rows = [["班数", "01", number, *split(number, len(grades))]]
    return Table(
        mark + ("2106" if new else "212"),
        "小学班数、班额情况",
        "个",
        heads,
        ["指标名称", "代码"],
        [["总计", *rows[0][1:]], *bands(one, stage, len(grades))],
    )


def secondary_classes(one, stages, mark, new):
    rows = []
    for n, stage in enumerate(stages):
        number = one[stage, "classes"]
        rows.append([STAGE_WORDS[stage], f"{2 * n + 1:02d}", number, *split(number, 3)])
        rows += bands(one, stage, 3)
    heads = [[("合计", 1), ("一年级", 1), ("二年级", 1), ("三年级", 1)]]
    return Table(mark + ("2107" if new else "213"), "中学班数、班额情况", "个", heads, ["指标名称", "代码"], rows)


def staff(one, mark, new):
    stages = STAGES[one["school_type"]]
    total = sum(one[s, "teachers"] for s in stages)
    whole = one[stages[0], "staff"] if len(stages) == 1 else total + 9
    heads = [[("教职工数", 3), ("代课教师", 1)], [("合计", 1), ("专任教师", 1), ("工勤人员", 1), ("", 1)]]
    rows = [
        ["总　计", "01", whole, total, whole - total, None],
        ["其中：女", "02", whole // 2, total // 2, None, None],
    ]
    return Table(mark + ("4149" if new else "412"), "中小学教职工数", "人", heads, ["指标名称", "代码"], rows)


def titles(one, mark, new):
    rows, line = [], 0
    for stage in STAGES[one["school_type"]]:
        upper, teachers = one[stage, "senior_title_teachers"], one[stage, "teachers"]
        counts = [0, upper // 3, upper - upper // 3, teachers - upper, 0]
        for title, count in zip(TITLES, counts, strict=True):
            line += 1
            rows.append([STAGE_WORDS[stage], title, f"{line:02d}", count or None, None, count or None])
    heads = [[("合计", 1), ("35岁以下", 1), ("35岁及以上", 1)]]
    labels = ["指标名称", "指标名称", "代码"]
    return Table(
        mark + ("4153" if new else "422"), "专任教师专业技术职务、年龄结构情况", "人", heads, labels, rows
    )


def courses(one, stage, code, title, stages):
    rows, line = [], 0
    for own in stages:
        of = own or stage
        teachers, above = one[of, "teachers"], one[of, "teachers_above_required_degree"]
        arts, upper = one[of, "sports_arts_teachers"], one[of, "postgraduate_teachers"]
        by_course = [teachers - arts, 0, arts, None, None, None]
        degrees = {
            "primary": [upper, above - upper, 0, teachers - above],
            "junior": [upper, above - upper, teachers - above, 0],
        }
        counts = degrees.get(of, [upper, teachers - upper, 0, 0])
        for name, count in [("总计" if own is None else "合计", teachers), *zip(DEGREES, counts, strict=True)]:
            line += 1
            own_courses = by_course if name in ("总计", "合计") else [None] * len(COURSES)
            lead = [name] if own is None else [STAGE_WORDS[own], name]
            rows.append([*lead, f"{line:02d}", count or None, *own_courses])
    heads = [[("合计", 1), *((c, 1) for c in COURSES)]]
    labels = ["指标名称", "代码"] if stages == [None] else ["指标名称", "指标名称", "代码"]
    return Table(code, title, "人", heads, labels, rows)


def plant(one, mark, new):
    area, gym = one["teaching_area_m2"], one["gym_area_m2"]
    gym_label = "3.室内体育用房" if new else "体育馆"
    rows = [
        ["总计", "01", area + 1000, None],
        ["一、教学及辅助用房", "02", area, None],
        ["其中：教室", "03", area / 2, None],
        [f"其中：{gym_label}", "04", gym, None],
        ["二、行政办公用房", "05", 1000, None],
    ]
    heads = [[("校舍建筑面积", 2)], [("合计", 1), ("其中：危房", 1)]]
    made = [
        Table(mark + ("5170" if new else "512"), "中小学校舍情况", "平方米", heads, ["指标名称", "编号"], rows)
    ]
    ground, books, value = one["sports_ground_m2"], one["books"], one["equipment_value_yuan"] / 10000
    rooms, computers = one["multimedia_rooms"], one["computers"]
    if new:
        items = [
            ("一、占地面积", "平方米", ground + 5),
            ("其中：运动场地面积", "平方米", ground),
            ("三、图书", "册", books),
        ]
        items += [("四、数字终端数", "台", computers), ("五、网络多媒体教室", "间", rooms)]
        items += [("七、教学仪器设备资产值", "万元", value)]
        lines = [[text, unit, f"{n:02d}", figure] for n, (text, unit, figure) in enumerate(items, 1)]
        title, labels = "中小学占地面积及其他办学条件情况", ["指标名称", "计量单位", "代码"]
        return [*made, Table(mark + "5176", title, "", [[("数量", 1)]], labels, lines)]
    heads = [
        [("占地面积（平方米）", 2), ("图书（册）", 1), ("固定资产总值（万元）", 2)],
        [("合计", 1), ("其中：运动场地面积", 1), ("", 1), ("合计", 1), ("其中：教学仪器设备资产值", 1)],
    ]
    line = [["总计", "01", ground + 5, ground, books, value + 100, value]]
    made.append(Table(mark + "522", "中小学占地面积及其他办学条件", "", heads, ["指标名称", "编号"], line))
    heads = [[("教学用计算机（台）", 1), ("网络多媒体教室（间）", 1), ("接入互联网出口带宽（Mbps）", 1)]]
    line = [["总计", "01", computers, rooms, 1000]]
    return [*made, Table(mark + "531", "中小学信息化建设情况", "", heads, ["指标名称", "编号"], line)]


def kindergarten(one, mark, new):
    s = "preschool"
    labels = ["指标名称", "代码"]
    kids, people, teachers = one[s, "students"], one[s, "staff"], one[s, "teachers"]
    above, upper = one[s, "teachers_above_required_degree"], one[s, "postgraduate_teachers"]
    made = [
        Table(
            mark + ("2105" if new else "211"),
            "幼儿园班数",
            "个",
            [[("合计", 1), ("小班", 1), ("中班", 1), ("大班", 1)]],
            labels,
            [["总计", "01", one[s, "classes"], *split(one[s, "classes"], 3)]],
        ),
        Table(
            mark + ("3107" if new else "311"),
            "学前教育幼儿数",
            "人",
            [[("入园人数", 1), ("在园人数", 1), ("离园人数", 1)]],
            labels,
            [["总计", "01", one[s, "entrants"], kids, 20], ["其中：女", "02", None, kids // 2, None]],
        ),
        Table(
            mark + ("4148" if new else "411"),
            "幼儿园教职工数",
            "人",
            [[("合计", 1), ("园长", 1), ("专任教师", 1)]],
            labels,
            [["总计", "01", people, 1, teachers]],
        ),
        Table(
            mark + ("4159" if new else "4211"),
            "幼儿园园长、专任教师学历、职称情况",
            "人",
            [
                [
                    ("合计", 1),
                    ("研究生毕业", 1),
                    ("本科毕业", 1),
                    ("专科毕业", 1),
                    ("高中阶段毕业", 1),
                    ("持有教师资格证", 1),
                ]
            ],
            labels,
            [
                ["园长", "01", 1, None, 1, None, None, 1],
                [
                    "专任教师",
                    "02",
                    teachers,
                    upper,
                    above - upper,
                    None,
                    teachers - above,
                    one[s, "certified_teachers"],
                ],
            ],
        ),
        Table(
            mark + ("5169" if new else "511"),
            "幼儿园校舍情况",
            "平方米",
            [[("合计", 1), ("其中：租借", 1)]],
            labels,
            [
                ["总计", "01", one["building_area_m2"], None],
                ["幼儿活动用房", "02", one["activity_room_area_m2"], None],
            ],
        ),
        Table(
            mark + ("5175" if new else "521"),
            "幼儿园占地面积及其他办学条件",
            "",
            [[("占地面积（平方米）", 2), ("图书（册）", 1)], [("合计", 1), ("其中：运动场地面积", 1), ("", 1)]],
            labels,
            [["总计", "01", one["outdoor_play_area_m2"] + 9, one["outdoor_play_area_m2"], one["books"]]],
        ),
    ]
    return made


def school_book(
    one: Mapping[Any, Any], year: int, new: bool, dirt=plain, grid: bool = True, cover: bool = True
) -> bytes:
    """Return a school's workbook with a cover, a table of contents and its forms."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    if cover:
        sheet = book.add_worksheet("封面")
        sheet.write(2, 1, "基础教育学校（机构）统计报表")
        sheet.write(3, 1, f"（{year} /{year + 1}学年初）")
        sheet.write(6, 1, "制定机关：教       育       部")
        book.add_worksheet("目录").write(0, 0, "目  录")
    for place, table in enumerate(tables(one, new)):
        suffix = f"_{TYPE_WORDS[one['school_type']]}" if new else ""
        write_table(book, table.code + suffix, table, year, dirt, grid, said_year=not cover and place == 0)
    book.close()
    return buffer.getvalue()


def school(school_type: str = "primary", school_id: str = "3133000001", **change: Any) -> dict[Any, Any]:
    """Return the truth of a school as the forms can say it."""
    one: dict[Any, Any] = {
        "school_id": school_id,
        "school_name": f"测试{TYPE_WORDS[school_type]}{school_id[-2:]}",
        "school_type": school_type,
        "ownership": "public",
        "opened_year": 1998,
        "books": 20000,
    }
    if school_type == "kindergarten":
        one |= {"building_area_m2": 3000.5, "activity_room_area_m2": 1200, "outdoor_play_area_m2": 900.25}
        one |= {("preschool", "certified_teachers"): 18}
    else:
        one |= {"has_clinic": True, "has_school_doctor": True, "teaching_area_m2": 8000.5, "gym_area_m2": 900}
        one |= {
            "sports_ground_m2": 5000,
            "equipment_value_yuan": 1234500,
            "multimedia_rooms": 30,
            "computers": 200,
        }
    for n, stage in enumerate(STAGES[school_type]):
        first = split(600 + n, len(GRADES.get(stage, "小中大")))[0]
        by_stage = {"students": 600 + n, "entrants": first, "classes": 18 + n, "teachers": 40 + n}
        by_stage |= {"teachers_above_required_degree": 30 + n, "postgraduate_teachers": 5 + n}
        if stage == "senior":
            by_stage["teachers_above_required_degree"] = by_stage["postgraduate_teachers"]
        if school_type != "kindergarten":
            by_stage |= {
                "sports_arts_teachers": 7 + n,
                "senior_title_teachers": 21 + n,
                "backbone_teachers": 9 + n,
            }
        if len(STAGES[school_type]) == 1:
            by_stage["staff"] = 45
        one |= {(stage, name): value for name, value in by_stage.items()}
    return one | change
