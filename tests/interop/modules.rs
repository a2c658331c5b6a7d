//! `conn.modules`, `conn.builtins`.

use rpyc_tests::Server;
use rpyc_tests::server::better_than_stock;

#[test]
fn a_module_is_an_attribute_of_modules() {
    Server::start().check(
        "
        version = conn.modules.sys.version
        assert type(version) is str and version.startswith('3.'), version
        same(conn.modules.os.path.basename('/usr/lib'), 'lib')
        same(conn.modules.math.pi, __import__('math').pi)
        assert conn.modules.sys is conn.modules['sys']
        ",
    );
}

#[test]
fn a_module_of_a_package_is_reached_by_its_dotted_name() {
    Server::start().check(
        "
        document = conn.modules['xml.dom.minidom'].parseString(
            '<shop name=\"corner\"><item price=\"2\">tea</item><item price=\"3\">milk</item></shop>')
        shop = document.documentElement
        assert (shop.tagName, shop.getAttribute('name')) == ('shop', 'corner')
        items = shop.getElementsByTagName('item')
        assert len(items) == 2
        assert [i.firstChild.data for i in items] == ['tea', 'milk']
        assert sum(int(i.getAttribute('price')) for i in items) == 5
        assert items[0].nextSibling is items[1]
        items[1].setAttribute('price', '4')
        extra = document.createElement('item')
        extra.appendChild(document.createTextNode('bread'))
        shop.appendChild(extra)
        assert shop.toxml() == ('<shop name=\"corner\"><item price=\"2\">tea</item>'
                                '<item price=\"4\">milk</item><item>bread</item></shop>')
        assert document.toprettyxml(indent=' ').startswith('<?xml')
        ",
    );
}

#[test]
fn the_standard_library_is_there() {
    Server::start().check(
        "
        same(conn.modules.json.loads('{\"a\": [1, 2.5, null]}')['a'][1], 2.5)
        same(conn.modules.re.sub('[aeiou]', '_', 'remote'), 'r_m_t_')
        same(conn.modules.hashlib.sha256(b'x').hexdigest(), __import__('hashlib').sha256(b'x').hexdigest())
        same(conn.modules.zlib.decompress(__import__('zlib').compress(b'text' * 99)), b'text' * 99)
        same(str(conn.modules.decimal.Decimal('0.1') + conn.modules.decimal.Decimal('0.2')), '0.3')
        same(conn.modules.collections.Counter('abba').most_common(1)[0], ('a', 2))
        same(str(conn.modules.datetime.date(2024, 2, 29) + conn.modules.datetime.timedelta(1)), '2024-03-01')
        same(list(conn.modules.itertools.islice(conn.modules.itertools.count(5), 3)), [5, 6, 7])
        same(conn.modules['os.path'].join('a', 'b'), 'a/b')
        ",
    );
}

#[test]
fn a_missing_module_is_an_import_error_by_bracket() {
    Server::start().check(
        "
        with raises(ImportError, 'no_such_module') as raised:
            conn.modules['no_such_module']
        assert isinstance(raised.value, ModuleNotFoundError)
        same(raised.value.name, 'no_such_module')
        with raises(ImportError):
            conn.modules['os.no_such_module']
        ",
    );
}

#[test]
fn a_missing_module_is_an_attribute_error_by_attribute() {
    Server::start().check(
        "
        with raises(AttributeError, 'no_such_module'):
            conn.modules.no_such_module
        assert not hasattr(conn.modules, 'no_such_module')
        assert hasattr(conn.modules, 'sys')
        ",
    );
}

#[test]
fn in_tells_whether_a_module_can_be_imported() {
    Server::start().check(
        "
        assert 'sys' in conn.modules
        assert 'json' in conn.modules
        assert 'no_such_module' not in conn.modules
        ",
    );
}

#[test]
fn builtins_are_the_servers() {
    Server::start().check(
        "
        assert conn.builtins is conn.builtin is conn.modules.builtins
        same(conn.builtins.len(conn.eval('[1, 2, 3]')), 3)
        same(conn.builtins.max(3, 9, 4), 9)
        same(conn.builtins.sorted(conn.eval('{3, 1, 2}'))[0], 1)
        same(conn.builtins.int('2a', 16), 42)
        same(conn.builtins.int('2a', base=16), 42)
        same(conn.builtins.repr(conn.builtins.range(3)), 'range(0, 3)')
        same(conn.builtins.dict(a=1, b=2)['b'], 2)
        same(list(conn.builtins.zip((1, 2), 'ab')), [(1, 'a'), (2, 'b')])
        same(tuple(conn.builtins.enumerate('xy')), ((0, 'x'), (1, 'y')))
        assert conn.builtins.type(conn.eval('[]')) is conn.builtins.list
        ",
    );
}

#[test]
fn names_in_a_module_can_be_set_and_deleted() {
    Server::start().check(
        "
        conn.modules.string.extra = 17
        same(conn.eval(\"__import__('string').extra\"), 17)
        del conn.modules.string.extra
        with raises(AttributeError):
            conn.modules.string.extra
        ",
    );
}

#[test]
fn a_module_can_be_made_and_imported_by_the_client() {
    Server::start().check(
        "
        module = conn.modules.types.ModuleType('fresh')
        conn.modules.sys.modules['fresh'] = module
        conn.builtins.exec('def double(x): return 2 * x', module.__dict__)
        same(conn.modules.fresh.double(21), 42)
        conn.execute('from fresh import double')
        same(conn.namespace['double'](4), 8)
        del conn.modules.sys.modules['fresh']
        ",
    );
}

#[test]
fn builtins_that_look_at_their_caller_see_the_connections_namespace() {
    if better_than_stock("they see the names within a function of rpyc's") {
        return;
    }
    let server = Server::start();
    server.check(
        "
        conn.execute('x = 5')
        same(conn.builtins.eval('x + 1'), 6)
        conn.builtins.exec('y = x * 2')
        same(conn.eval('y'), 10)
        same(conn.builtins.eval('x', conn.builtins.dict(x=7)), 7)
        # Code in a dict of its own sees the builtins that all share, replaced ones too.
        conn.execute('import builtins; real = builtins.len; builtins.len = lambda of: 99')
        own = conn.builtins.dict()
        conn.builtins.exec('def size(of): return len(of)', own)
        sizes = own['size']([]), conn.builtins.eval('len([])', conn.builtins.dict())
        conn.execute('builtins.len = real')
        same(sizes, (99, 99))
        for look in conn.builtins.globals, conn.builtins.locals, conn.builtins.vars:
            same(look()['x'], 5)
        assert 'x' in list(conn.builtins.dir())
        same(conn.builtins.vars(conn.modules.string)['digits'], '0123456789')
        ",
    );
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
