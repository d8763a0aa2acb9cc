"""Categories: the tree, single categories, and the products in them."""

from copy import deepcopy
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.catalog import save_product
from sandbox.magento.contract import CONTRACT
from sandbox.magento.criteria import search
from sandbox.magento.errors import no_such, refused
from sandbox.magento.products import required_product
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

COLUMNS = {**CONTRACT.scalar_fields("catalog-data-category"), "entity_id": "int"}


def _category(shop: Shop, category_id: Any) -> Doc:
    category = shop.get("categories", category_id)
    if category is None:
        raise no_such("id", category_id)
    return deepcopy(category)


def _children(shop: Shop, category_id: int) -> list[Doc]:
    return shop.table("categories").where("parent_id", category_id)


def _shown(shop: Shop, category: Doc) -> Doc:
    return category | {"children": ",".join(str(each["id"]) for each in _children(shop, category["id"]))}


def _tree(shop: Shop, category: Doc, depth: int | None) -> Doc:
    below = [] if depth == 0 else _children(shop, category["id"])
    names = ("id", "parent_id", "name", "is_active", "position", "level")
    products = [each for each in shop.table("products").values() if _link(each, category["id"])]
    return {name: category[name] for name in names} | {
        "product_count": len(products),
        "children_data": [_tree(shop, each, None if depth is None else depth - 1) for each in below],
    }


def _link(product: Doc, category_id: int) -> Doc | None:
    links: list[Doc] = product["category_links"]
    return next((link for link in links if str(link["category_id"]) == str(category_id)), None)


@route("GET", "/V1/categories")
def get_tree(shop: Shop, call: Call) -> Any:
    root, depth = call.query.get("rootCategoryId") or "2", call.query.get("depth")
    return _tree(shop, _category(shop, root), int(depth) if depth else None)


@route("GET", "/V1/categories/list")
def find_categories(shop: Shop, call: Call) -> Any:
    def value_of(category: Doc, name: str) -> Any:
        return category.get("id" if name == "entity_id" else name)

    found = search(shop, shop.table("categories").values(), call.criteria(shop), COLUMNS, value_of)
    return found | {"items": [_shown(shop, each) for each in found["items"]]}


@route("GET", "/V1/categories/{categoryId}")
def get_category(shop: Shop, call: Call) -> Any:
    return _shown(shop, _category(shop, call.path["category_id"]))


@route("POST", "/V1/categories")
def post_category(shop: Shop, call: Call) -> Any:
    given = call.args["category"]
    if given.get("id"):
        return _save(shop, _category(shop, given["id"]), given)
    if not given.get("name"):
        raise refused('The "%1" attribute value is empty. Set the attribute and try again.', "Category Name")
    parent = _category(shop, given.get("parent_id") or 2)
    category_id = shop.next_id("category")
    fresh = {
        "id": category_id,
        "parent_id": parent["id"],
        "is_active": False,
        "position": len(_children(shop, parent["id"])) + 1,
        "level": parent["level"] + 1,
        "path": f"{parent['path']}/{category_id}",
        "include_in_menu": True,
        "created_at": shop.stamp(),
        "custom_attributes": [],
    }
    return _save(shop, fresh, given)


@route("PUT", "/V1/categories/{id}")
def put_category(shop: Shop, call: Call) -> Any:
    return _save(shop, _category(shop, call.path["id"]), call.args["category"])


def _save(shop: Shop, category: Doc, given: Doc) -> Doc:
    names = ("name", "is_active", "include_in_menu", "position", "available_sort_by")
    changed = category | {name: given[name] for name in names if given.get(name) is not None}
    codes = {each["attribute_code"]: each for each in category["custom_attributes"]}
    codes |= {each["attribute_code"]: each for each in given.get("custom_attributes") or []}
    changed |= {"custom_attributes": list(codes.values()), "updated_at": shop.stamp()}
    shop.put("categories", changed["id"], changed)
    return _shown(shop, changed)


@route("DELETE", "/V1/categories/{categoryId}")
def delete_category(shop: Shop, call: Call) -> Any:
    category = _category(shop, call.path["category_id"])
    if category["level"] < 2:
        raise refused("Cannot delete category with id %1", category["id"])
    for child in _children(shop, category["id"]):
        shop.table("categories").delete(str(child["id"]))
    shop.table("categories").delete(str(category["id"]))
    return True


@route("GET", "/V1/categories/{categoryId}/products")
def get_products(shop: Shop, call: Call) -> Any:
    category_id = _category(shop, call.path["category_id"])["id"]
    found = ((each, _link(each, category_id)) for each in shop.table("products").values())
    return [
        {"sku": product["sku"], "position": link["position"], "category_id": str(category_id)}
        for product, link in found
        if link is not None
    ]


def _assign(shop: Shop, call: Call) -> Any:
    given, category_id = call.args["product_link"], _category(shop, call.path["category_id"])["id"]
    product = required_product(shop, given.get("sku") or "")
    others = [link for link in product["category_links"] if str(link["category_id"]) != str(category_id)]
    link = {"position": given.get("position") or 0, "category_id": str(category_id)}
    save_product(shop, product | {"category_links": [*others, link]})
    return True


route("POST", "/V1/categories/{categoryId}/products")(_assign)
route("PUT", "/V1/categories/{categoryId}/products")(_assign)


@route("DELETE", "/V1/categories/{categoryId}/products/{sku}")
def unassign(shop: Shop, call: Call) -> Any:
    category_id = _category(shop, call.path["category_id"])["id"]
    product = required_product(shop, call.path["sku"])
    if _link(product, category_id) is None:
        raise refused("The category doesn't contain the specified product.")
    links = [link for link in product["category_links"] if str(link["category_id"]) != str(category_id)]
    save_product(shop, product | {"category_links": links})
    return True
