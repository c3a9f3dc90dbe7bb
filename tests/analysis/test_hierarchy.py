"""The list of a hierarchy has parents first, and knows what is below each node."""

from hypothesis import given
from hypothesis import strategies as st

from deeptracker.analysis.hierarchy import preorder
from deeptracker.schema import Node

shapes = st.recursive(st.just(None), lambda children: st.lists(children, min_size=1, max_size=4), max_leaves=12)


def tree(shape: object, name: str, layers: list[int]) -> Node:
    """A hierarchy of this shape; every leaf takes the next layer."""
    if shape is None:
        layers.append(len(layers))
        return Node(name, (), layers[-1])
    assert isinstance(shape, list)
    return Node(name, tuple(tree(child, f"{name}.{i}".lstrip("."), layers) for i, child in enumerate(shape)))


def literal(node: Node) -> list[Node]:
    return [node] + [below for child in node.children for below in literal(child)]


@given(shapes)
def test_every_node_is_listed_once_before_what_is_in_it(shape: object) -> None:
    root = tree(shape, "", [])
    found, expected = preorder(root), literal(root)
    assert [(node.name, node.layer) for node in found] == [(node.name, node.layer) for node in expected]
    assert [node.parent for node in found].count(-1) == 1
    for place, node in enumerate(found):
        assert node.parent < place
        children = [other.name for other in found if other.parent == place]
        assert children == [child.name for child in expected[place].children]
        assert list(node.layers) == [below.layer for below in literal(expected[place]) if below.layer is not None]


def test_a_network_without_modules_is_one_node() -> None:
    (only,) = preorder(Node(""))
    assert (only.name, only.parent, only.layer, only.layers) == ("", -1, None, ())


def test_a_module_with_a_weight_of_its_own_comes_before_it() -> None:
    attention = Node("a", (Node("a", layer=1), Node("a.out", layer=0)))
    found = preorder(Node("", (attention,)))
    assert [(node.name, node.layers) for node in found[1:]] == [("a", (1, 0)), ("a", (1,)), ("a.out", (0,))]
